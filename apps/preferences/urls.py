from django.urls import path

from apps.preferences import api

urlpatterns = [
    path("users/<str:user_id>/preferences", api.Preferences.as_view(), name="user-preferences"),
    path("suppressions", api.Suppressions.as_view(), name="suppressions"),
]
