"""When a campaign would begin and end if it was launched now."""

from datetime import datetime
from typing import Any

from apps.campaigns import people, schedule_words
from apps.campaigns.capacity import Finish, accounts_pace, finish_of
from apps.campaigns.costing import Estimate
from apps.campaigns.scheduling import next_occurrence, plan_of
from apps.core.enums import Channel, KeyMode
from apps.core.types import Tenant


def finish(tenant: Tenant, row: Any, estimate: Estimate, now: datetime) -> Finish | None:
    """None: its time is over. Counts clocks where everybody has their own."""
    occurrence = next_occurrence(plan_of(row.schedule or {}), now)
    if occurrence is None:
        return None
    priced: dict[str, int] = {}
    for line in estimate.lines:
        priced[line.channel] = priced.get(line.channel, 0) + line.messages
    paces = [
        accounts_pace(tenant.id, KeyMode(row.mode), Channel(name), priced.get(name, estimate.people))
        for name in row.channels
    ]
    last_wave = _last_wave(tenant, row, now)
    return finish_of(
        people=estimate.people,
        paces=paces,
        starts_at=max(occurrence.at, now),
        throttle=row.throttle,
        ramp=row.ramp,
        ramp_minutes=row.ramp_minutes,
        last_wave=last_wave,
        # the last wave's time has the waiting in it
        test=row.test if last_wave is None else None,
        expires_after=row.expires_after,
    )


def _last_wave(tenant: Tenant, row: Any, now: datetime) -> datetime | None:
    if not schedule_words.is_on_every_clock(row.schedule or {}):
        return None
    condition = people.condition_of_audience(tenant.id, row.audience or {}, now)
    zones = people.zones(tenant.id, condition) if condition is not None else None
    table = schedule_words.wave_table(row.schedule, zones, tenant.timezone, now, row.test) if zones else None
    return table.last_at if table else None
