from django.urls import path

from apps.tenants import api

urlpatterns = [path("audit", api.AuditLog.as_view(), name="audit")]
