"""All doors."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from apps.campaigns.api.bulk import BulkNotifications

admin.autodiscover()

handler404 = "apps.core.problems.not_found"
handler500 = "apps.core.problems.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    # before it is taken for the id of one
    path("v1/notifications/bulk", BulkNotifications.as_view(), name="bulk-notifications"),
    # early, because most requests are for it
    path("v1/", include("apps.ingest.urls")),
    path("", include("apps.core.urls")),
    path("", include("apps.channels.urls")),
    path("admin/", admin.site.urls),
    path("v1/", include("apps.audience.urls")),
    path("v1/", include("apps.events.urls")),
    path("v1/", include("apps.inbox.urls")),
    path("v1/", include("apps.preferences.urls")),
    path("v1/", include("apps.templates.urls")),
    path("", include("apps.receipts.urls")),
    path("", include("apps.pages.urls")),
    path("v1/", include("apps.schedules.urls")),
    path("v1/", include("apps.campaigns.urls")),
    path("v1/", include("apps.webhooks.urls")),
    path("v1/", include("apps.tenants.urls")),
]
