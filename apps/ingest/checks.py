"""Refuses to start when an idempotency key would be forgotten while its notification may still be tried."""

from typing import Any

from django.core.checks import CheckMessage, Error

from apps.ingest.idempotency import key_ttl
from apps.routing.retrying import retry_budget


def keys_outlive_retries(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    if key_ttl() > retry_budget():
        return []
    hours = int(retry_budget().total_seconds() // 3600) + 1
    return [
        Error(
            f"Idempotency keys are kept for {key_ttl()}, but retries may take {retry_budget()}.",
            hint=f"Set NOTIFIER_IDEMPOTENCY_TTL_HOURS to at least {hours}: a caller that repeats a request later would send it twice.",
            id="ingest.E001",
        )
    ]
