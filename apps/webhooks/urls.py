"""Webhook endpoints of tenants."""

from django.urls import path

from apps.webhooks import api

urlpatterns = [
    path("webhook-endpoints", api.WebhookEndpoints.as_view(), name="webhook-endpoints"),
    path("webhook-endpoints/<str:endpoint_id>", api.WebhookEndpointView.as_view(), name="webhook-endpoint"),
    path("webhook-endpoints/<str:endpoint_id>/attempts", api.WebhookAttempts.as_view(), name="webhook-attempts"),
    path("webhook-endpoints/<str:endpoint_id>/replay", api.WebhookReplay.as_view(), name="webhook-replay"),
    path("webhook-endpoints/<str:endpoint_id>/rotate-secret", api.WebhookRotation.as_view(), name="webhook-rotation"),
    path("webhook-endpoints/<str:endpoint_id>/test", api.WebhookTest.as_view(), name="webhook-test"),
]
