"""The front door."""

from django.urls import path

from apps.ingest.api import doubts, explaining, operating, reading, sending, testing

urlpatterns = [
    path("notifications", sending.NotificationsView.as_view(), name="notifications"),
    path("notifications/batch", sending.NotificationBatchView.as_view(), name="notification-batch"),
    path("notifications/<str:shown>", reading.NotificationDoor.as_view(), name="notification"),
    path("notifications/<str:shown>/timeline", reading.TimelineView.as_view(), name="notification-timeline"),
    path("notifications/<str:shown>/retry", operating.RetryView.as_view(), name="notification-retry"),
    path("users/<str:user_id>/notifications", reading.UserNotificationsView.as_view(), name="user-notifications"),
    path("templates/<str:key>/test", testing.TestSendView.as_view(), name="template-test"),
    path("explain", explaining.ExplainView.as_view(), name="explain"),
    path("deliveries/in-doubt", doubts.InDoubtView.as_view(), name="deliveries-in-doubt"),
    path("dead-letters", operating.DeadLettersView.as_view(), name="dead-letters"),
    path("dead-letters/replay", operating.ReplayView.as_view(), name="dead-letters-replay"),
    path("dead-letters/give-up", operating.GiveUpView.as_view(), name="dead-letters-give-up"),
]
