"""A campaign for a million: how fast its pages are written, alone and by two, beside the bare rows."""

import multiprocessing
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection, connections

from apps.campaigns import expanding, firing, launching, preparing
from apps.campaigns.expanding import Page
from apps.campaigns.models import Campaign, Run, Variant, Wave
from apps.core import clock
from apps.core.enums import CapPeriod, Channel
from apps.core.types import Tenant
from apps.ledger import broadcasts
from apps.preferences.models import DefaultPreference, FrequencyCap, QuietHoursRule
from apps.templates.services import Source, publish_changes
from apps.tenants.services import create_tenant
from tests.bench import crowd
from tests.bench.bare_rows import BareRows
from tests.bench.cast import NO_LIMIT
from tests.bench.results import Result, result

# pages: a second, in which the machine is as fast for both
_TURN = 2
_KINDS = ("ledger_notification", "ledger_delivery", "ledger_work_item")
EVERYBODY = {
    "include": {"any": [{"field": "attributes.plan", "op": "in", "value": ["pro", "free"]}, {"users": ["c_1"]}]}
}


def campaigning(quick: bool) -> dict[str, Result]:
    """Expansion alone; nothing is sent."""
    people, rounds = (60_000, 1) if quick else (1_000_000, 2)
    tenant = invited(people)
    alone, together, bare, memory = [], [], [], []
    for _ in range(rounds):
        one = beside_bare_rows(tenant)
        alone.append(one["rate"])
        bare.append(one["bare"])
        clear(one["run"])
        two = expand_by_two(tenant)
        together.append(two["rate"])
        memory.append(two["memory_mb"])
        clear(two["run"])
    return {
        "expand": result(
            "recipients/s", alone, bare, ">= 10,000/s; ratio >= 0.5", people=people,
            bare_rows_per_s=round(statistics.median(bare) * len(_KINDS)),
        ),
        "expand_by_two": result("recipients/s", together, alone, "ratio >= 1.7", people=people, workers=memory),
    }  # fmt: skip


def invited(people: int, slug: str = "crowd") -> Tenant:
    tenant = create_tenant(
        slug=slug, name="Crowd", email_from="crowd@example.com", rate_per_second=NO_LIMIT, rate_burst=NO_LIMIT
    )
    source = Source(
        Channel.EMAIL,
        "",
        {
            "subject": "Spring, {{ recipient.first_name }}",
            "html": "<p>Hello {{ recipient.first_name }}, spring is here.</p><p><a href='{{ vars.unsubscribe_url }}'>Stop</a></p>",
        },
    )
    sample = {"$recipient": {"first_name": "Rosa"}}
    publish_changes(tenant=tenant, key="spring", name="Spring", variants=(source,), sample=sample, by="bench")
    crowd.gather(tenant.id, people)
    _lay_down_rules(tenant)
    return tenant


def _lay_down_rules(tenant: Tenant) -> None:
    """All of them look; none has anything to say now."""
    wall = clock.now() + timedelta(hours=13)
    DefaultPreference.objects.create(tenant_id=tenant.id, topic="category:social", is_on=False)
    FrequencyCap.objects.create(
        tenant_id=tenant.id, name="a day", limit=1_000, period=CapPeriod.DAY, topic="*", channel="*"
    )
    QuietHoursRule.objects.create(
        tenant_id=tenant.id, name="short", start=wall.hour * 60, end=wall.hour * 60 + 1, channels=["sms"]
    )


def begin(tenant: Tenant, **fields: Any) -> Run:
    """Launched, its audience counted, its waves cut."""
    said = {"name": "Spring", "mode": "test", "channels": ["email"], "audience": EVERYBODY, "created_by": "bench"}
    campaign = Campaign.objects.create(tenant_id=tenant.id, changed_by="bench", **said | fields)
    Variant.objects.create(tenant_id=tenant.id, campaign=campaign, position=0, name="A", template_key="spring")
    launching.launch(campaign_id=campaign.id, tenant_id=tenant.id, by="bench", now=clock.now())
    while firing.fire_next(clock.now()):
        pass
    while preparing.prepare_next(clock.now()):
        pass
    found: Run = Run.objects.of(tenant).get(campaign_id=campaign.id)
    return found


def beside_bare_rows(tenant: Tenant) -> dict[str, Any]:
    """One worker's pages and their bare rows in turns: both see the same moods of the machine."""
    run = begin(tenant)
    seconds, bare_seconds = 0.0, 0.0
    tables: list[BareRows] = []
    while True:
        began = time.monotonic()
        pages = list(islice(_pages(), _TURN))
        seconds += time.monotonic() - began
        if not pages:
            break
        tables = tables or [BareRows(run, kind) for kind in _KINDS]
        bare_seconds += sum(table.follow() for table in tables)
    made = _made(run)
    copied = [table.drop() for table in tables]
    # a few rows may go into room that was left before those that were copied already
    if len(copied) != len(_KINDS) or not all(0.999 * made <= count <= made for count in copied):
        raise RuntimeError(f"{copied} of {made} were copied")
    return {"run": run, "rate": made / seconds, "bare": made / bare_seconds}


def expand_by_two(tenant: Tenant) -> dict[str, Any]:
    run = begin(tenant)
    began = time.monotonic()
    connections.close_all()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        memory = pool.map(_worker, range(2))
    return {"run": run, "rate": _made(run) / (time.monotonic() - began), "memory_mb": memory}


def _made(run: Run) -> int:
    made = sum(Wave.objects.all_tenants().filter(run_id=run.id).values_list("made", flat=True))
    if made != run.audience_size:
        raise RuntimeError(f"{made} of {run.audience_size} were made")
    return made


def _worker(_: int) -> float:
    """Every page that is due; how many MB this process grew by after its tenth page."""
    import psutil

    early = 0.0
    process = psutil.Process()
    for number, _page in enumerate(_pages(), start=1):
        if number == 10:
            early = process.memory_info().rss / 2**20
    return round(process.memory_info().rss / 2**20 - early, 1) if early else 0.0


def _pages() -> Iterator[Page]:
    """Every page that is due."""
    while page := expanding.expand_next(clock.now()):
        yield page


def clear(run: Run) -> None:
    """So that nothing of it is in the next one's way."""
    launched: UUID = run.campaign_id
    with connection.cursor() as cursor:
        for kind in _KINDS:
            cursor.execute(
                f"DELETE FROM {kind} WHERE id BETWEEN %s AND %s",
                [broadcasts.begin_of(run.stamp), broadcasts.end_of(run.stamp)],
            )
        cursor.execute("UPDATE campaigns_run SET status = 'finished' WHERE campaign_id = %s", [launched])
        cursor.execute("VACUUM ANALYZE ledger_notification, ledger_delivery, ledger_work_item")
