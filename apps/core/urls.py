"""Documentation and health: open to everyone."""

from django.urls import path, re_path
from django.views.generic import RedirectView

from apps.core import views

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="docs")),
    re_path(r"^docs/?$", views.reference, name="docs"),
    re_path(r"^docs/try/?$", views.explorer, name="docs-try"),
    re_path(r"^docs/errors/?$", views.errors, name="docs-errors"),
    path("v1/openapi.json", views.schema_json, name="schema"),
    path("v1/openapi.yaml", views.schema_yaml, name="schema-yaml"),
    path("healthz", views.health, name="health"),
]
