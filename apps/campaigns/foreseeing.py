"""When a campaign would be through, from what it says and whom it is for now."""

from datetime import datetime

from apps.campaigns.approving import Considered
from apps.campaigns.capacity import Finish, accounts_pace, finish_of
from apps.campaigns.people import condition_of_audience, zones
from apps.campaigns.preparing import clock_of
from apps.campaigns.scheduling import next_occurrence, plan_of, zone_waves
from apps.core.enums import Channel, KeyMode
from apps.core.types import Tenant


def finish_of_campaign(tenant: Tenant, seen: Considered, now: datetime) -> Finish | None:
    """None: nothing is to come. Every channel is meant to reach everybody: it is rather too long than too short."""
    row, people = seen.row, seen.estimate.people
    plan = plan_of(row.schedule or {})
    upcoming = next_occurrence(plan, now)
    if upcoming is None:
        return None
    starts_at, last_wave = upcoming.at, None
    if plan.is_local:
        condition = condition_of_audience(tenant.id, row.audience or {}, now)
        known = zones(tenant.id, condition) if condition is not None else None
        by_clock: dict[str, int] = {}
        for name, number in (known or {}).items():
            zone = clock_of(tenant.id, name)
            by_clock[zone] = by_clock.get(zone, 0) + number
        waves = [wave for wave in zone_waves(by_clock, upcoming.name, now, plan.past) if not wave.is_skipped]
        starts_at = waves[0].at if waves else starts_at
        last_wave = waves[-1].at if waves else None
    mode = KeyMode(row.mode)
    channels = [Channel(name) for name in row.channels if name != Channel.IN_APP]
    return finish_of(
        people=people,
        paces=[accounts_pace(tenant.id, mode, channel, people) for channel in channels],
        starts_at=starts_at,
        throttle=row.throttle,
        ramp=row.ramp or (),
        ramp_minutes=row.ramp_minutes,
        last_wave=last_wave,
        test=row.test or None,
        expires_after=row.expires_after,
    )
