"""A campaign for a million: how fast its pages are written, alone and by two, beside the bare rows."""

import multiprocessing
import statistics
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, connections

from apps.campaigns import expanding, firing, launching, preparing
from apps.campaigns.models import Campaign, Run, Variant, Wave
from apps.core import clock
from apps.core.enums import CapPeriod, Channel
from apps.core.types import Tenant
from apps.ledger import broadcasts
from apps.preferences.models import DefaultPreference, FrequencyCap, QuietHoursRule
from apps.templates.services import Source, publish_changes
from apps.tenants.services import create_tenant
from tests.bench import crowd
from tests.bench.cast import NO_LIMIT
from tests.bench.results import Result, result

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
        one = expand(tenant, workers=1)
        alone.append(one["rate"])
        bare.append(_bare(one))
        clear(one)
        two = expand(tenant, workers=2)
        together.append(two["rate"])
        memory.append(two["memory_mb"])
        clear(two)
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


def expand(tenant: Tenant, *, workers: int) -> dict[str, Any]:
    run = begin(tenant)
    began = time.monotonic()
    if workers == 1:
        memory = [work()]
    else:
        connections.close_all()
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            memory = pool.map(_worker, range(workers))
    seconds = time.monotonic() - began
    made = sum(Wave.objects.of(tenant).filter(run_id=run.id).values_list("made", flat=True))
    if made != run.audience_size:
        raise RuntimeError(f"{made} of {run.audience_size} were made")
    return {"run": run, "rate": made / seconds, "memory_mb": memory}


def _worker(_: int) -> float:
    return work()


def work() -> float:
    """Every page that is due; how many MB this process grew by after its tenth page."""
    import psutil

    pages, early = 0, 0.0
    process = psutil.Process()
    while True:
        page = expanding.expand_next(clock.now())
        if page is None:
            break
        pages += 1
        if pages == 10:
            early = process.memory_info().rss / 2**20
    return round(process.memory_info().rss / 2**20 - early, 1) if early else 0.0


def _bare(done: dict[str, Any]) -> float:
    """The same rows in the order in which they were written, each kind by one INSERT..SELECT from an unlogged copy into a table like the
    partition that took them, indexes and all: recipients a second over all kinds."""
    run = done["run"]
    bounds = {"begin": broadcasts.begin_of(run.stamp), "end": broadcasts.end_of(run.stamp)}
    seconds, rows = 0.0, 0
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for kind in _KINDS:
            where = "WHERE id BETWEEN %(begin)s AND %(end)s"
            cursor.execute(f"SELECT DISTINCT tableoid::regclass::text FROM {kind} {where}", bounds)
            ((part,),) = cursor.fetchall()
            cursor.execute(f"CREATE UNLOGGED TABLE bare_from AS SELECT * FROM {part} {where} ORDER BY ctid", bounds)
            rows = cursor.rowcount
            cursor.execute(f"CREATE TABLE bare_into (LIKE {part} INCLUDING ALL)")
            cursor.execute("SELECT unnest(reloptions) FROM pg_class WHERE oid = %s::regclass", [part])
            for (option,) in cursor.fetchall():
                cursor.execute(f"ALTER TABLE bare_into SET ({option})")
            cursor.execute("CHECKPOINT")
            began = time.monotonic()
            cursor.execute("INSERT INTO bare_into SELECT * FROM bare_from")
            seconds += time.monotonic() - began
            if cursor.rowcount != rows:
                raise RuntimeError(f"{cursor.rowcount} of {rows}")
            cursor.execute("DROP TABLE bare_from, bare_into")
        cursor.execute("RESET statement_timeout")
    return rows / seconds


def clear(done: dict[str, Any]) -> None:
    """So that nothing of it is in the next one's way."""
    run: Run = done["run"]
    launched: UUID = run.campaign_id
    with connection.cursor() as cursor:
        for kind in _KINDS:
            cursor.execute(
                f"DELETE FROM {kind} WHERE id BETWEEN %s AND %s",
                [broadcasts.begin_of(run.stamp), broadcasts.end_of(run.stamp)],
            )
        cursor.execute("UPDATE campaigns_run SET status = 'finished' WHERE campaign_id = %s", [launched])
        cursor.execute("VACUUM ANALYZE ledger_notification, ledger_delivery, ledger_work_item")
