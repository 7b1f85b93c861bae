"""Receipts: stored calls of a provider, applied by the real worker; and how long the door keeps a provider waiting."""

import http.client
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import quantiles

from django.conf import settings
from django.db import connection

from apps.channels.sandbox.wire import SandboxEvent, SandboxEvents, encode
from apps.channels.selectors import sandbox_account
from apps.channels.standard_webhooks import sign
from apps.core import clock, ids
from apps.core.enums import Channel
from apps.core.types import ProviderCall
from apps.dispatch import bells
from apps.receipts.models import ReceiptCall
from apps.receipts.services import store_call
from tests.bench.results import Result, result
from tests.bench.world import World, spent

PER_CALL = 100
KINDS = (*("delivered",) * 17, "opened", "bounced", "soft_bounced")
PATIENCE = 120.0
# live deliveries of the cast's mailboxes, each with an accepted attempt
_SENT = """
WITH made AS (
    INSERT INTO ledger_delivery (id, notification_id, tenant_id, recipient_id, channel, endpoint_id, category, mode, status, account,
        sent_at)
    SELECT uuidv7(), uuidv7(), e.tenant_id, e.recipient_id, 'email', e.id, 'marketing', 'live', 'sent', 'sandbox-email', now()
    FROM (SELECT * FROM audience_endpoint WHERE channel = 'email' LIMIT 2000) e CROSS JOIN generate_series(1, %s)
    RETURNING id, tenant_id
)
INSERT INTO ledger_attempt (id, delivery_id, tenant_id, number, account, ended_at, kind)
SELECT uuidv7(), id, tenant_id, 1, 'sandbox-email', now(), 'accepted' FROM made RETURNING id
"""


def receipts(made: World, quick: bool) -> dict[str, Result]:
    total, runs = (4_000, 1) if quick else (20_000, 3)
    rates, costs = [], []
    for number in range(runs):
        for body in _bodies(total, seed=number):
            store_call(account=sandbox_account(Channel.EMAIL), call=ProviderCall("", {}, body))
        before, began = made.cpu(), clock.now()
        bells.ring("receipts")
        rates.append(total / _until_applied(began))
        costs.append(spent(before, made.cpu()))
    return {
        "receipts": result("events/s", rates, [], ">= 2,000/s", per_run=total, per_call=PER_CALL, cpu_seconds=costs),
        "receipts_ack": _acknowledged(made, 100 if quick else 400),
    }


def _bodies(total: int, *, seed: int) -> Iterator[bytes]:
    """Each delivery has one event; one in ten is told twice."""
    chance = random.Random(seed)
    with connection.cursor() as cursor:
        cursor.execute(_SENT, [total // 2_000])
        attempts = [attempt for (attempt,) in cursor.fetchall()]
    events = []
    for attempt in attempts:
        reference = ids.show(ids.ATTEMPT, attempt)
        at = datetime.now(UTC).timestamp()
        events.append(SandboxEvent(f"ev-{reference}", chance.choice(KINDS), at, reference, f"sbx-{reference}"))
    for place in range(0, len(events), 10):
        events[place] = events[chance.randrange(len(events))]
    for start in range(0, total, PER_CALL):
        yield encode(SandboxEvents(events[start : start + PER_CALL]))


def _until_applied(began: datetime) -> float:
    """Seconds, by when the last call was marked."""
    ends = time.monotonic() + PATIENCE
    while ReceiptCall.objects.filter(applied_at=None).exists():
        if time.monotonic() > ends:
            raise RuntimeError(f"Not applied after {PATIENCE:g} s")
        time.sleep(0.05)
    last = ReceiptCall.objects.order_by("-applied_at").values_list("applied_at", flat=True).first()
    assert last is not None
    return (last - began).total_seconds()


def _acknowledged(made: World, count: int) -> Result:
    """Milliseconds from a signed call of 100 events to its 202, one after another on one connection."""
    bodies = list(_bodies(2_000, seed=99))
    line = http.client.HTTPConnection("127.0.0.1", made.ports.web, timeout=10)
    times = []
    for number in range(count):
        body = bodies[number % len(bodies)]
        headers = sign(
            settings.SANDBOX_SECRET, message_id=f"m{number}", timestamp=int(clock.now().timestamp()), body=body
        )
        began = time.perf_counter()
        line.request("POST", "/v1/receipts/sandbox-email", body, {**headers, "Content-Type": "application/json"})
        answer = line.getresponse()
        answer.read()
        times.append((time.perf_counter() - began) * 1_000)
        if answer.status != 202:
            raise RuntimeError(f"The door answered {answer.status}")
    line.close()
    _until_applied(clock.now())
    cuts = quantiles(times, n=100)
    return result("ms p50", [cuts[49]], [], "p99 < 200 ms", p99=round(cuts[98], 1), most=round(max(times), 1))
