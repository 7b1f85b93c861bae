from django.urls import path

from apps.preferences import api

urlpatterns = [
    path("v1/users/<str:user_id>/preferences", api.Preferences.as_view(), name="user-preferences"),
    path("v1/suppressions", api.Suppressions.as_view(), name="suppressions"),
]
