from django.urls import path

from apps.preferences.api import consents, defaults, preferences, rules, suppressions

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
    path("quiet-hours-rules", rules.QuietHoursRules.as_view(), name="quiet-hours-rules"),
    path("quiet-hours-rules/<str:name>", rules.QuietHoursRuleByName.as_view(), name="quiet-hours-rule"),
    path("frequency-caps", rules.FrequencyCaps.as_view(), name="frequency-caps"),
    path("frequency-caps/<str:name>", rules.FrequencyCapByName.as_view(), name="frequency-cap"),
    path("suppressions", suppressions.Suppressions.as_view(), name="suppressions"),
]
