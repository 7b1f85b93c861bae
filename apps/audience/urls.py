"""Included under v1/."""

from django.urls import path

from apps.audience import api, import_api, segment_api

urlpatterns = [
    path("imports", import_api.ImportsView.as_view(), name="imports"),
    path("imports/<str:import_id>", import_api.ImportView.as_view(), name="import"),
    path("imports/<str:import_id>/errors", import_api.ImportErrorsView.as_view(), name="import-errors"),
    path("imports/<str:import_id>/start", import_api.ImportStartView.as_view(), name="import-start"),
    path("imports/<str:import_id>/pause", import_api.ImportPauseView.as_view(), name="import-pause"),
    path("imports/<str:import_id>/cancel", import_api.ImportCancelView.as_view(), name="import-cancel"),
    path("users/<str:user_id>", api.UserView.as_view(), name="user"),
    path("users/<str:user_id>/devices", api.DevicesView.as_view(), name="user-devices"),
    path("users/<str:user_id>/devices/<str:endpoint_id>", api.DeviceView.as_view(), name="user-device"),
    path("users/<str:user_id>/endpoints", api.EndpointsView.as_view(), name="user-endpoints"),
    path("users/<str:user_id>/endpoints/<str:endpoint_id>", api.EndpointView.as_view(), name="user-endpoint"),
    path("segments", segment_api.SegmentsView.as_view(), name="segments"),
    path("segments/fields", segment_api.SegmentFieldsView.as_view(), name="segment-fields"),
    path("segments/preview", segment_api.SegmentPreviewView.as_view(), name="segment-preview"),
    path("segments/<str:segment>", segment_api.SegmentView.as_view(), name="segment"),
    path("segments/<str:segment>/count", segment_api.SegmentCountView.as_view(), name="segment-count"),
    path("segments/<str:segment>/members", segment_api.SegmentMembersView.as_view(), name="segment-members"),
]
