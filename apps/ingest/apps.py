from django.apps import AppConfig
from django.core.checks import register


class IngestConfig(AppConfig):
    name = "apps.ingest"

    def ready(self) -> None:
        from apps.ingest.checks import keys_outlive_retries
        from apps.ingest.test_sends import send_wished
        from apps.templates.test_sending import on_test_send

        register(keys_outlive_retries)
        on_test_send(send_wished)
