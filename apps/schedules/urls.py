"""Scheduled notifications of tenants."""

from django.urls import path

from apps.schedules import api

_ONE = "scheduled-notifications/<str:schedule_id>"

urlpatterns = [
    path("scheduled-notifications", api.ScheduledNotifications.as_view(), name="scheduled-notifications"),
    path("scheduled-notifications/preview", api.SchedulePreview.as_view(), name="schedule-preview"),
    path(_ONE, api.ScheduledNotification.as_view(), name="scheduled-notification"),
    path(f"{_ONE}/pause", api.SchedulePause.as_view(), name="schedule-pause"),
    path(f"{_ONE}/resume", api.ScheduleResume.as_view(), name="schedule-resume"),
    path(f"{_ONE}/next", api.ScheduleNext.as_view(), name="schedule-next"),
    path(f"{_ONE}/runs", api.ScheduleRuns.as_view(), name="schedule-runs"),
]
