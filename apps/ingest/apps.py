from django.apps import AppConfig
from django.core.checks import register


class IngestConfig(AppConfig):
    name = "apps.ingest"

    def ready(self) -> None:
        from apps.ingest.checks import keys_outlive_retries

        register(keys_outlive_retries)
