from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "apps.ledger"

    def ready(self) -> None:
        from apps.audience.forgetting import on_forget
        from apps.core import sealed
        from apps.ledger.services import erase_recipient

        on_forget(erase_recipient)
        sealed.register("ledger.Notification", "sealed")
        sealed.register("ledger.Broadcast", "sealed")
