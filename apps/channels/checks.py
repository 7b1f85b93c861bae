"""Says at start-up what would only be noticed when a test key sends."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning


def sandbox_has_a_secret(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    if settings.SANDBOX_SECRET:
        return []
    return [
        Warning(
            "NOTIFIER_SANDBOX_SECRET is not set: test keys reach nothing.",
            hint="Set the same random value for the service and for manage.py run_sandbox.",
            id="channels.W001",
        )
    ]
