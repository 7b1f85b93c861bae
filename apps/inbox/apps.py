from django.apps import AppConfig

from apps.core import sealed


class InboxConfig(AppConfig):
    name = "apps.inbox"

    def ready(self) -> None:
        sealed.register("inbox.InboxItem", "sealed")
