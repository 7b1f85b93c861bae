from django.urls import path

from apps.preferences.api import consents, defaults, preferences, suppressions

urlpatterns = [
    path("users/<str:user_id>/preferences", preferences.Preferences.as_view(), name="user-preferences"),
    path(
        "users/<str:user_id>/preferences/effective",
        preferences.EffectivePreferences.as_view(),
        name="user-preferences-effective",
    ),
    path("users/preferences/read", preferences.ManyPreferences.as_view(), name="users-preferences"),
    path(
        "users/<str:user_id>/preference-links",
        preferences.PreferenceLinks.as_view(),
        name="user-preference-links",
    ),
    path("users/<str:user_id>/consents", consents.Consents.as_view(), name="user-consents"),
    path("preference-defaults", defaults.PreferenceDefaults.as_view(), name="preference-defaults"),
    path(
        "preference-defaults/<str:topic>/<str:channel>",
        defaults.PreferenceDefault.as_view(),
        name="preference-default",
    ),
    path("suppressions", suppressions.Suppressions.as_view(), name="suppressions"),
]
