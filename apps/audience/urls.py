"""Included under v1/."""

from django.urls import path

from apps.audience import api

urlpatterns = [
    path("users/<str:user_id>", api.UserView.as_view(), name="user"),
    path("users/<str:user_id>/devices", api.DevicesView.as_view(), name="user-devices"),
    path("users/<str:user_id>/devices/<str:endpoint_id>", api.DeviceView.as_view(), name="user-device"),
    path("users/<str:user_id>/endpoints", api.EndpointsView.as_view(), name="user-endpoints"),
    path("users/<str:user_id>/endpoints/<str:endpoint_id>", api.EndpointView.as_view(), name="user-endpoint"),
]
