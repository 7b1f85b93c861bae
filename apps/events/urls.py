"""Included under v1/."""

from django.urls import path

from apps.events import api

urlpatterns = [
    path("event-types", api.EventTypesView.as_view(), name="event-types"),
    path("event-types/<str:key>", api.EventTypeView.as_view(), name="event-type"),
]
