"""Included under v1/."""

from django.urls import path

from apps.templates import api

urlpatterns = [
    path("templates", api.TemplatesView.as_view(), name="templates"),
    path("templates/<str:key>", api.TemplateView.as_view(), name="template"),
    path("templates/<str:key>/publish", api.PublishView.as_view(), name="template-publish"),
    path("templates/<str:key>/rollback", api.RollbackView.as_view(), name="template-rollback"),
    path("templates/<str:key>/preview", api.PreviewView.as_view(), name="template-preview"),
    path("templates/<str:key>/versions", api.VersionsView.as_view(), name="template-versions"),
]
