"""The back door, under /v1/receipts/."""

from django.urls import path

from apps.receipts.views import receive

urlpatterns = [path("<str:key>", receive, name="receipts")]
