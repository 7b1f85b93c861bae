"""What it costs that every rule looks: deciding alone, and the whole way, where none of them has anything to say."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from time import process_time
from zoneinfo import ZoneInfo

from msgspec import structs

from apps.audience.models import Recipient
from apps.core import ids, redis
from apps.core.enums import CapPeriod, Category, Channel, DigestFrequency, GroupBy
from apps.core.types import Cap, Default, Grouping, Mute, QuietHours, Switch, TenantRules
from apps.events.services import put_event_type
from apps.preferences import counting
from apps.preferences.models import DefaultPreference, FrequencyCap, Profile, QuietHoursRule
from apps.preferences.models import Mute as MuteRow
from apps.preferences.models import Preference as PreferenceRow
from apps.routing.deciding import decide
from apps.routing.decisions import Bundle, Hold, Send, Skip
from apps.routing.facts import Case, Stage
from apps.tenants.models import Tenant
from tests.bench.accepting import BATCH, post_batches
from tests.bench.cast import Cast, body, invite
from tests.bench.delivering import delivered
from tests.bench.results import Result, result
from tests.bench.sizes import case_of
from tests.bench.world import World, spent

ZONE = "Europe/Berlin"
EVENT = "bench.order"
CHANNELS = ("push", "sms")
ROOM = 10_000
FAR = timedelta(days=30)


def decisions(quick: bool) -> Result:
    """Six cases in turn, each with all rules on: sent twice, held, skipped, for the digest, over a cap; the CPU's time, one thread."""
    now = datetime.now(UTC)
    cases = [_case(now, quiet_in=6), _case(now, quiet_in=8, stage=Stage.GATE), _case(now, quiet_in=-1)]
    cases += [
        _case(now, quiet_in=6, switch=Switch("bench.order", "push", False)),
        _case(now, quiet_in=6, switch=Switch("bench.order", "push", True, DigestFrequency.DAILY)),
    ]
    cases += [structs.replace(cases[1], over=cases[1].rules.caps[0])]
    kinds = [type(decide(case)) for case in cases]
    if kinds != [Send, Send, Hold, Skip, Bundle, Skip]:
        raise RuntimeError(f"Not what is to be measured: {kinds}")
    rounds, rates = (4_000 if quick else 12_000), []
    for _ in range(3):
        began = process_time()
        for _ in range(rounds):
            for case in cases:
                decide(case)
        rates.append(rounds * len(cases) / (process_time() - began))
    return result("decisions/s per core", rates, [], ">= 20,000/s")


def _case(now: datetime, *, quiet_in: int, switch: Switch | None = None, stage: Stage = Stage.ROUTE) -> Case:
    """Quiet for two hours, so many hours from now."""
    base = case_of(now, _switches() + ((switch,) if switch else ()))
    choices = replace(
        base.person.choices,
        mutes=(Mute("other.*", "*", now + FAR), Mute("category:social", "push", now + FAR)),
        quiet_hours=(_quiet(now, quiet_in),),
        blocked_actors=frozenset({"u_7", "u_8"}),
    )
    rules = TenantRules(
        defaults=(Default("category:social", "*", False), Default("other.*", "sms", False, is_locked=True)),
        quiet_hours=(_quiet(now, 6), replace(_quiet(now, 7), country="FR", is_locked=True)),
        caps=tuple(Cap(ids.new(), f"cap {n}", ROOM, CapPeriod.DAY, channel=c) for n, c in enumerate(("push", "*"))),
    )
    wish = structs.replace(
        base.wish,
        event_type="bench.order",
        actor_id="u_1",
        object_id="o_1",
        grouping=Grouping(GroupBy.OBJECT, timedelta(minutes=5), low_only=True),
        waits=timedelta(seconds=1),
        expires_at=now + FAR,
    )
    person = structs.replace(base.person, choices=choices, zone=ZONE, country="DE")
    return structs.replace(
        base, wish=wish, person=person, rules=rules, stage=stage, asked_at=now - timedelta(seconds=2)
    )


def _switches() -> tuple[Switch, ...]:
    return (
        Switch("other.thing", "push", False),
        Switch("other.*", "*", False),
        Switch("category:social", "sms", False),
    )


def _quiet(now: datetime, hours: int) -> QuietHours:
    wall = now.astimezone(ZoneInfo(ZONE)) + timedelta(hours=hours)
    start = wall.hour * 60 + wall.minute
    return QuietHours(start, (start + 120) % 1_440)


def end_to_end_rules(made: World, plain: Cast, quick: bool) -> Result:
    """The same messages for a tenant without rules and for one with all of them, in turn; push and SMS for each."""
    total, runs = (4_000, 2) if quick else (6_000, 4)
    ruled = invite("ruled")
    lay_down(ruled.tenant.id)
    numbers = count()
    found: dict[str, list[float]] = {"plain": [], "ruled": []}
    costs: dict[str, dict[str, float]] = {}
    for cast in (plain, ruled):
        _run(made, cast, 1_000, numbers)
    for number in range(runs):
        for name in ("plain", "ruled") if number % 2 else ("ruled", "plain"):
            before = made.cpu()
            found[name].append(_run(made, plain if name == "plain" else ruled, total, numbers))
            costs[name] = spent(before, made.cpu())
    counted = len(redis.quick().keys("cap:*"))
    best = max(found["ruled"]) / max(found["plain"])
    return result(
        "notifications/s", found["ruled"], found["plain"], "ratio >= 0.85", counters=counted, of_the_best_runs=round(best, 3),
        per_run=total, cpu_seconds=costs["ruled"], baseline_cpu_seconds=costs["plain"],
    )  # fmt: skip


def _run(made: World, cast: Cast, total: int, numbers: "count[int]") -> float:
    """No two messages have the same content."""
    bodies = [
        body(n, EVENT) | {"actor_id": "u_1", "object_id": f"o_{n}"} for n in (next(numbers) for _ in range(total))
    ]
    batches = [json.dumps({"notifications": bodies[start : start + BATCH]}) for start in range(0, total, BATCH)]
    return delivered(total, CHANNELS, lambda: post_batches(made, cast, batches, len(batches)))


def lay_down(tenant_id: ids.UUID) -> None:
    """Every rule is on for everybody, and none of them holds anything back."""
    now = datetime.now(UTC)
    tenant = Tenant.objects.get(id=tenant_id)
    people = list(Recipient.objects.of(tenant_id).values_list("id", flat=True))
    of = {"tenant_id": tenant_id, "source": "bench"}
    PreferenceRow.objects.bulk_create(
        [
            PreferenceRow(recipient_id=person, topic=s.topic, channel=s.channel, is_on=s.is_on, **of)
            for person in people
            for s in _switches()
        ]
    )
    MuteRow.objects.bulk_create([MuteRow(recipient_id=p, topic="other.*", until=now + FAR, **of) for p in people])
    quiet = _quiet(now, 6)
    hours = [{"start": quiet.start, "end": quiet.end, "channels": [], "categories": []}]
    Profile.objects.bulk_create(
        [Profile(recipient_id=p, quiet_hours=hours, blocked_actors=["u_7", "u_8"], **of) for p in people]
    )
    Recipient.objects.of(tenant_id).update(preferences_version=1)
    DefaultPreference.objects.create(tenant_id=tenant_id, topic="category:social", is_on=False)
    for number, country in enumerate(("", "FR")):
        QuietHoursRule.objects.create(
            tenant_id=tenant_id, name=f"n{number}", start=quiet.start, end=quiet.end, country=country, is_locked=True
        )
    for channel, period in (("push", "rolling"), ("sms", "day"), ("*", "day"), ("*", "week")):
        window = 3_600 if period == "rolling" else 0
        FrequencyCap.objects.create(
            tenant_id=tenant_id,
            name=f"{channel}-{period}",
            limit=ROOM,
            period=period,
            window_seconds=window,
            channel=channel,
        )
    put_event_type(
        tenant=tenant,  # type: ignore[arg-type]
        key=EVENT,
        name=EVENT,
        category=Category.TRANSACTIONAL,
        template_key="bench_short",
        channels=(Channel.PUSH, Channel.SMS),
        dedup_window=timedelta(hours=1),
        grouping=Grouping(GroupBy.OBJECT, timedelta(minutes=5), low_only=True),
        overflows=True,
    )
    counting.reserve([])
    kept = redis.quick().get(counting.SINCE)
    assert isinstance(kept, bytes)
    long_ago = int((now - FAR).timestamp() * 1000)
    redis.quick().set(counting.SINCE, b"%s:%d" % (kept.split(b":")[0], long_ago))
