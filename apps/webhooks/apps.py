from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "apps.webhooks"

    def ready(self) -> None:
        from apps.audience.forgetting import on_forget
        from apps.core import sealed
        from apps.dispatch import bells
        from apps.webhooks.keeping import forget_person
        from apps.webhooks.pacing import QUEUE

        sealed.register("webhooks.WebhookEndpoint", "sealed")
        on_forget(forget_person)
        # its work is not the ledger's: the bell of this queue calls a task of its own
        bells.TASKS[QUEUE] = "webhooks.send"
