"""What came of a run by people's language, clock and hour, by link, and how long it took: counted more rarely than the rest, for it takes
longer: the run's people are looked up, and the events of its messages read.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from time import monotonic
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from apps.audience.traits import TRAITS
from apps.campaigns.lifecycle import OPEN_RUNS
from apps.campaigns.models import Dimension, Meter, Slice
from apps.core.enums import EventKind
from apps.ledger import run_results
from apps.ledger.run_results import DELAYS, NOTHING, Counts, Doing, Trait
from apps.tenants.selectors import tenant_by_id

SOONEST = timedelta(seconds=30)
TIMES = 20
LONGER = "longer"
SLICED = (Dimension.LOCALE, Dimension.ZONE, Dimension.HOUR, Dimension.LINK, Dimension.DELAY, Dimension.MACHINE)


def is_due(run: Any, meter: Any, now: datetime) -> bool:
    """After every count of a run that is over: those are rare."""
    if meter.sliced_at is None or run.status not in OPEN_RUNS:
        return True
    return bool(now - meter.sliced_at >= max(SOONEST, timedelta(seconds=meter.slices_took * TIMES)))


def slice_run(run: Any, meter: Any, now: datetime) -> None:
    """Three scans of the run's range."""
    started = monotonic()
    where = {"tenant_id": run.tenant_id, "stamp": run.stamp}
    rows = [
        *_of_traits(run_results.traits(**where, people=TRAITS), _zone_of(run.tenant_id)),
        *_of_doings(run_results.doings(**where)),
        *_of_delays(run_results.delays(**where)),
    ]
    with transaction.atomic():
        Slice.objects.of(run.tenant_id).filter(run_id=run.id, dimension__in=SLICED).delete()
        made = [_row(run, dimension, value, counts) for dimension, value, counts in rows]
        Slice.objects.bulk_create(made, batch_size=2_000)
        took = monotonic() - started
        Meter.objects.of(run.tenant_id).filter(run_id=run.id).update(sliced_at=now, slices_took=took)


Sliced = tuple[Dimension, str, Counts]


def _of_traits(found: Iterable[Trait], default: str) -> Iterable[Sliced]:
    sums: dict[tuple[Dimension, str], Counts] = {}

    def add(dimension: Dimension, value: str, counts: Counts) -> None:
        sums[dimension, value] = sums.get((dimension, value), NOTHING).plus(counts)

    for trait in found:
        if trait.locale is not None:
            add(Dimension.LOCALE, trait.locale, trait.counts)
            continue
        zone = trait.zone if trait.zone and _known(trait.zone) else default
        add(Dimension.ZONE, zone, trait.counts)
        if trait.at is not None:
            add(Dimension.HOUR, f"{trait.at.astimezone(ZoneInfo(zone)).hour:02}", trait.counts)
    return [(dimension, value, counts) for (dimension, value), counts in sorted(sums.items())]


@cache
def _known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _of_doings(found: Iterable[Doing]) -> Iterable[Sliced]:
    """A link's `count`: deliveries of which a person followed it. Of machines: deliveries that they opened, or followed a link of."""
    machine = NOTHING
    for one in found:
        if not one.is_machine and one.kind == EventKind.CLICKED:
            name = f"{one.link} {one.target}".strip()[:100]
            yield Dimension.LINK, name, NOTHING._replace(people=one.count, clicked=one.count)
        elif one.is_machine and one.kind == EventKind.OPENED:
            machine = machine._replace(opened=machine.opened + one.count)
        elif one.is_machine:
            machine = machine._replace(clicked=machine.clicked + one.count)
    yield Dimension.MACHINE, "", machine


def _of_delays(found: Mapping[int, int]) -> Iterable[Sliced]:
    for place, count in found.items():
        name = f"{DELAYS[place]:g}" if place < len(DELAYS) else LONGER
        yield Dimension.DELAY, name, NOTHING._replace(people=count, delivered=count)


def _zone_of(tenant_id: UUID) -> str:
    tenant = tenant_by_id(tenant_id)
    return tenant.timezone if tenant and _known(tenant.timezone) else "UTC"


def _row(run: Any, dimension: Dimension, value: str, counts: Counts) -> Slice:
    people, *others = counts
    known = dict(zip(counts._fields[1:], others, strict=True))
    return Slice(tenant_id=run.tenant_id, run_id=run.id, dimension=dimension, value=value, count=people, **known)
