from django.apps import AppConfig

from apps.core import sealed


class ReceiptsConfig(AppConfig):
    name = "apps.receipts"

    def ready(self) -> None:
        sealed.register("receipts.ReceiptCall", "sealed")
