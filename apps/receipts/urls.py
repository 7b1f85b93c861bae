"""The back door."""

from django.urls import path

from apps.receipts import api, links
from apps.receipts.views import receive

urlpatterns = [
    path("v1/receipts/<str:key>", receive, name="receipts"),
    path("v1/engagements", api.Engagements.as_view(), name="engagements"),
    path("c/<str:token>", links.follow, name="tracked-link"),
    path("o/<str:token>.gif", links.pixel, name="tracked-open"),
]
