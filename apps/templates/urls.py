"""Included under v1/."""

from django.urls import path

from apps.templates import api, lint_api, release_api, seeds_api

urlpatterns = [
    path("templates", api.TemplatesView.as_view(), name="templates"),
    path("templates/<str:key>", api.TemplateView.as_view(), name="template"),
    path("templates/<str:key>/check", release_api.CheckView.as_view(), name="template-check"),
    path("templates/<str:key>/lint", lint_api.LintView.as_view(), name="template-lint"),
    path("templates/<str:key>/publish", release_api.PublishView.as_view(), name="template-publish"),
    path("templates/<str:key>/rollout", release_api.RolloutView.as_view(), name="template-rollout"),
    path("templates/<str:key>/usage", release_api.UsageView.as_view(), name="template-usage"),
    path("templates/<str:key>/republish", release_api.RepublishView.as_view(), name="template-republish"),
    path("templates/<str:key>/rollback", release_api.RollbackView.as_view(), name="template-rollback"),
    path("templates/<str:key>/preview", api.PreviewView.as_view(), name="template-preview"),
    path("templates/<str:key>/versions", api.VersionsView.as_view(), name="template-versions"),
    path("seed-lists", seeds_api.SeedListsView.as_view(), name="seed-lists"),
    path("seed-lists/<str:name>", seeds_api.SeedListView.as_view(), name="seed-list"),
]
