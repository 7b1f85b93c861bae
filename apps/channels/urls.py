"""The sandbox's page, for staff."""

from django.contrib import admin
from django.urls import path

from apps.channels.admin import sandbox

urlpatterns = [
    path("admin/sandbox/", admin.site.admin_view(sandbox.sandbox), name="sandbox"),
    path("admin/sandbox/messages/", admin.site.admin_view(sandbox.messages), name="sandbox-messages"),
]
