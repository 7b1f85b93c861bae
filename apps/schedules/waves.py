"""The waves of a schedule: per zone the next time on the wall. One, unless every recipient has a clock of their own.

A person belongs to the wave that their row names. The wave that finds them elsewhere decides: what is over on their new clock they get
with it, what is still to come there they get then; either way once. Who joins begins with the next time on their clock.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.audience import selectors as audience
from apps.core.locales import zone as zone_named
from apps.core.types import Recipient
from apps.schedules.timing import Timing, instant, shown, wall_of
from apps.tenants.selectors import tenant_by_id


def timing_of_row(row: Any) -> Timing:
    """What is stored was valid when it was stored."""
    return Timing.read(start=row.start, zone=row.zone, rule=row.rule, exdates=row.exdates, rdates=row.rdates)


def set_waves(row: Any, waves: Mapping[str, str]) -> None:
    row.waves = dict(waves)
    row.next_fire_at = min((instant(wall_of(wall), zone) for zone, wall in waves.items()), default=None)


def waves_from(timing: Timing, zones: Iterable[str], now: datetime) -> dict[str, str]:
    """The next time on each clock; a zone where nothing comes any more is left out."""
    found = {}
    for zone in zones if timing.is_local else [timing.zone]:
        fire = timing.next_fire(now, zone)
        if fire is not None:
            found[zone] = shown(fire.wall)
    return found


def zones_of(tenant_id: UUID, people: Collection[UUID], timing: Timing) -> dict[UUID, str]:
    """Whose clock tells each person's next wave; "" where one clock is everybody's."""
    if not timing.is_local:
        return dict.fromkeys(people, "")
    return {found.id: zone_of(tenant_id, found) for found in audience.recipients(people).values()}


def zone_of(tenant_id: UUID, person: Recipient) -> str:
    tenant = tenant_by_id(tenant_id)
    return zone_named(person.timezone, tenant.timezone if tenant else "").key
