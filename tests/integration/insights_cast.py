"""Traffic of an account as it stands in the ledger, straight into its tables."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection

from apps.channels.selectors import forget_cached
from apps.channels.services import create_account
from apps.core import ids
from apps.core.enums import Channel
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
        id_ = ids.derived(ids.bound(at), key, place, len(deliveries))
        status, ended = ("delivered", comes) if has_come else ("sent", None)
        said = ("sms", "transactional", mode, status, place, key, at, at, ended, ended)
        deliveries.append((id_, owner, ids.new(), ids.new(), *said))
        again = ids.derived(ids.bound(at), key, place, len(deliveries), "attempt")
        attempts.append((again, owner, id_, 1, key, at, at, "accepted"))
        at += timedelta(seconds=each)
    _copy(
        "ledger_delivery (id, tenant_id, notification_id, recipient_id, channel, category, mode, status, place, account, created_at,"
        " sent_at, delivered_at, ended_at)",
        deliveries,
    )
    _copy("ledger_attempt (id, tenant_id, delivery_id, number, account, started_at, ended_at, kind)", attempts)
    return len(deliveries)


def _copy(into: str, rows: Sequence[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
