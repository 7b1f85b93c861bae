"""The clockwork of provider accounts. Run twice or late they do no harm."""

import logging

from celery import shared_task

from apps.channels import alerts, health, registry
from apps.channels.base import Provider
from apps.channels.deadlines import Deadline
from apps.channels.selectors import every_account

log = logging.getLogger(__name__)
PATIENCE = 5.0


@shared_task(name="channels.compare_alerts")
def compare_alerts(**_: object) -> None:
    """Open alerts are those of breakers that are open."""
    alerts.compare_with_health()


@shared_task(name="channels.ask_rates")
def ask_rates(**_: object) -> None:
    """Asks the providers that can say it how much they take a second."""
    for account, is_on in every_account():
        provider = registry.provider(account.provider)
        if not is_on or type(provider).reported_rate is Provider.reported_rate:
            continue
        deadline = Deadline(PATIENCE, min(account.connect_timeout, PATIENCE), PATIENCE)
        try:
            rate = provider.reported_rate(account, deadline)
        except Exception as error:
            log.warning("rate not reported", extra={"account": account.key, "error": type(error).__name__})
        else:
            health.set_reported_rate(account.key, rate or 0.0)
