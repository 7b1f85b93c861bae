"""All doors."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

handler404 = "apps.core.problems.not_found"
handler500 = "apps.core.problems.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("apps.core.urls")),
    path("admin/", admin.site.urls),
]
