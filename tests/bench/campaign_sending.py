"""A campaign through the real workers: how fast all of it is sent, and how long an urgent message takes meanwhile."""

import sys
import time
from collections.abc import Callable
from typing import Any

from django.db import connection

from apps.campaigns import launching
from apps.campaigns.models import Campaign, Run, Variant
from apps.core import clock
from apps.core.enums import CapPeriod
from apps.core.types import Tenant
from apps.preferences.models import FrequencyCap
from notifier.local.children import Child, worker_arguments
from notifier.pools import POOLS
from tests.bench import campaigning
from tests.bench.cast import Cast
from tests.bench.results import Result, result
from tests.bench.urgent import percentile, probe
from tests.bench.world import World, spent

PATIENCE = 600.0
# as long as processes believe what they last read of a tenant's rules
FORGET = 3.0
_LEFT = "SELECT EXISTS (SELECT FROM ledger_work_item WHERE lane = 'marketing' AND tenant_id = %s)"
_SPAN = """
SELECT count(*) FILTER (WHERE d.status = 'sent'), extract(epoch FROM max(d.sent_at) - min(n.created_at))::float,
    extract(epoch FROM max(n.created_at) - min(n.created_at))::float
FROM ledger_notification n JOIN ledger_delivery d ON d.notification_id = n.id WHERE n.broadcast_id = %s
"""


def campaign_end_to_end(made: World, quick: bool) -> dict[str, Result]:
    """By mail, 500 in a call, with a second process for marketing; then once more with a cap that holds for everybody."""
    people, runs = (30_000, 1) if quick else (200_000, 2)
    tenant = campaigning.invited(people, "letters")
    figures: dict[str, Result] = {}
    with made.running(_second_marketing(made)):
        for name, has_caps in (("campaign_end_to_end", False), ("campaign_end_to_end_capped", True)):
            _cap(tenant, is_on=has_caps)
            rates, costs, expansions = [], [], []
            for _ in range(runs):
                before = made.cpu()
                rate, expanding = _sent(tenant)
                rates.append(rate)
                expansions.append(round(expanding, 1))
                costs.append(spent(before, made.cpu()))
            without = figures["campaign_end_to_end"]["runs"] if has_caps else []
            target = "" if has_caps else ">= 5,000/s"
            figures[name] = result(
                "deliveries/s", rates, without, target, people=people, expansion_seconds=expansions, cpu_seconds=costs
            )
    return figures


def critical_beside_campaign(made: World, cast: Cast, quick: bool) -> dict[str, Result]:
    """As `critical_latency`, beside a campaign that is expanded and sent; the workers as they are by default."""
    people, count, runs = (30_000, 60, 1) if quick else (200_000, 150, 3)
    tenant = campaigning.invited(people, "beside")
    probe(made, cast, 20)
    idle = [probe(made, cast, count) for _ in range(runs)]
    run = launched(tenant)
    loaded, lasted = [], []
    for _ in range(runs):
        loaded.append(probe(made, cast, count))
        lasted.append(_is_left(tenant))
    sent, seconds, _ = _ask(_SPAN, run.id)
    launching.cancel(campaign_id=run.campaign_id, tenant_id=tenant.id, by="bench")
    _wait(lambda: not _is_left(tenant))
    return {
        f"critical_beside_campaign_{name}": result(
            "ms",
            [percentile(found, share) for found in loaded],
            [percentile(found, share) for found in idle],
            "< 1,000 ms" if name == "p99" else "",
            most=[found[-1] for found in loaded],
            campaign_per_s=round(sent / seconds),
            campaign_lasted=lasted,
        )
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }


def launched(tenant: Tenant) -> Run:
    """For everybody; returns when its first messages are written."""
    campaign = Campaign.objects.create(
        tenant_id=tenant.id,
        name="Spring",
        mode="test",
        channels=["email"],
        audience=campaigning.EVERYBODY,
        created_by="bench",
        changed_by="bench",
    )
    Variant.objects.create(tenant_id=tenant.id, campaign=campaign, position=0, name="A", template_key="spring")
    launching.launch(campaign_id=campaign.id, tenant_id=tenant.id, by="bench", now=clock.now())
    runs = Run.objects.of(tenant).filter(campaign_id=campaign.id)
    _wait(lambda: runs.exists() and _is_left(tenant))
    found: Run = runs.get()
    return found


def _sent(tenant: Tenant) -> tuple[float, float]:
    """Deliveries a second from the first row to the last that was sent, by the database's clock, and the seconds that its rows took."""
    run = launched(tenant)
    _wait(lambda: not _is_expanding(run) and not _is_left(tenant), every=1.0)
    run.refresh_from_db()
    sent, seconds, expanding = _ask(_SPAN, run.id)
    if sent != run.audience_size:
        raise RuntimeError(f"{sent} of {run.audience_size} were sent")
    return sent / seconds, expanding


def _is_expanding(run: Run) -> bool:
    run.refresh_from_db()
    return run.status not in ("sending", "finished")


def _is_left(tenant: Tenant) -> bool:
    return bool(_ask(_LEFT, tenant.id)[0])


def _cap(tenant: Tenant, *, is_on: bool) -> None:
    FrequencyCap.objects.of(tenant).delete()
    if is_on:
        FrequencyCap.objects.create(
            tenant_id=tenant.id, name="a day", limit=1_000, period=CapPeriod.DAY, topic="*", channel="*"
        )
    time.sleep(FORGET)


def _second_marketing(made: World) -> Child:
    (pool,) = (pool for pool in POOLS if pool.name == "marketing")
    name = "marketing-two"
    command = (sys.executable, "-m", "celery", "-q", "-A", "notifier", *worker_arguments(pool, name))
    return Child(name, command, ready_file=made.directory / f"{name}.ready", niceness=pool.nice)


def _ask(sql: str, *parameters: object) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()


def _wait(is_done: Callable[[], bool], every: float = 0.1) -> None:
    """`every`: seconds; looking for open work costs the database what it would spend on sending."""
    ends = time.monotonic() + PATIENCE
    while not is_done():
        if time.monotonic() > ends:
            raise RuntimeError(f"Not done after {PATIENCE:g} s")
        time.sleep(every)
