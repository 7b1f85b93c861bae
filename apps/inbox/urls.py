from django.urls import path

from apps.inbox import api

urlpatterns = [
    path("users/<str:user_id>/inbox-tokens", api.InboxTokens.as_view(), name="inbox-tokens"),
    path("inbox", api.Feed.as_view(), name="inbox"),
    path("inbox/counts", api.Counts.as_view(), name="inbox-counts"),
    path("inbox/seen", api.Seen.as_view(), name="inbox-seen"),
    path("inbox/read-all", api.ReadAll.as_view(), name="inbox-read-all"),
    path("inbox/<str:item_id>/read", api.Read.as_view(), name="inbox-item-read"),
    path("inbox/<str:item_id>/unread", api.Unread.as_view(), name="inbox-item-unread"),
    path("inbox/<str:item_id>/archive", api.Archive.as_view(), name="inbox-item-archive"),
    path("inbox/<str:item_id>/unarchive", api.Unarchive.as_view(), name="inbox-item-unarchive"),
]
