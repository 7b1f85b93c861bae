"""Included under v1/."""

from django.urls import path

from apps.events import api

urlpatterns = [
    path("event-types", api.EventTypesView.as_view(), name="event-types"),
    path("event-types/<str:key>", api.EventTypeView.as_view(), name="event-type"),
    path(
        "event-types/<str:key>/approve-critical", api.CriticalApprovalView.as_view(), name="event-type-approve-critical"
    ),
]
