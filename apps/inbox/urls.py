from django.urls import path

from apps.inbox import api

urlpatterns = [
    path("v1/users/<str:user_id>/inbox-tokens", api.InboxTokens.as_view(), name="inbox-tokens"),
    path("v1/inbox", api.Feed.as_view(), name="inbox"),
    path("v1/inbox/counts", api.Counts.as_view(), name="inbox-counts"),
    path("v1/inbox/seen", api.Seen.as_view(), name="inbox-seen"),
    path("v1/inbox/read-all", api.ReadAll.as_view(), name="inbox-read-all"),
    path("v1/inbox/<str:item_id>/read", api.Read.as_view(), name="inbox-item-read"),
    path("v1/inbox/<str:item_id>/unread", api.Unread.as_view(), name="inbox-item-unread"),
    path("v1/inbox/<str:item_id>/archive", api.Archive.as_view(), name="inbox-item-archive"),
    path("v1/inbox/<str:item_id>/unarchive", api.Unarchive.as_view(), name="inbox-item-unarchive"),
]
