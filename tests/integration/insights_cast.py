"""Traffic of an account as it stands in the ledger, straight into its tables."""

import random
from datetime import datetime, timedelta

from apps.channels.selectors import forget_cached
from apps.channels.services import create_account
from apps.core import ids
from apps.core.enums import Channel
from apps.ledger.models import Attempt, Delivery
from tests.integration.receipts_cast import tenant

DELAY = 5.0


def account(key: str = "acme-sms", *, provider: str = "sandbox") -> str:
    create_account(key=key, provider=provider, channel=Channel.SMS)
    forget_cached()
    return key


def traffic(
    key: str,
    start: datetime,
    end: datetime,
    *,
    each: float,
    now: datetime,
    silent: float = 0.0,
    place: str = "+49",
    mode: str = "live",
    delay: float = DELAY,
    chance: random.Random | None = None,
) -> int:
    """A message every `each` seconds; its receipt comes within twice `delay`, except for a share that is `silent`, by lot. How
    many. What would come after `now` has not come yet."""
    lots = chance or random.Random(3)
    owner = tenant()
    deliveries, attempts = [], []
    at = start
    while at < end:
        comes = at + timedelta(seconds=lots.uniform(0, 2 * delay))
        has_come = lots.random() >= silent and comes <= now
        delivery = Delivery(
            id=ids.derived(ids.bound(at), key, place, len(deliveries)),
            tenant_id=owner,
            notification_id=ids.new(),
            recipient_id=ids.new(),
            channel="sms",
            category="transactional",
            mode=mode,
            status="delivered" if has_come else "sent",
            place=place,
            account=key,
            created_at=at,
            sent_at=at,
            delivered_at=comes if has_come else None,
            ended_at=comes if has_come else None,
        )
        deliveries.append(delivery)
        attempts.append(
            Attempt(
                id=ids.derived(ids.bound(at), key, place, len(deliveries), "attempt"),
                tenant_id=owner,
                delivery_id=delivery.id,
                number=1,
                account=key,
                template_version=0,
                size=0,
                started_at=at,
                ended_at=at,
                kind="accepted",
            )
        )
        at += timedelta(seconds=each)
    Delivery.objects.bulk_create(deliveries, batch_size=5_000)
    Attempt.objects.bulk_create(attempts, batch_size=5_000)
    return len(deliveries)
