"""Counting a million people while somebody types: each kind of rule beside a bare count(*) of the table, and the pages of a campaign."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import connection

from apps.audience.segments.asking import ask
from apps.audience.segments.compiling import Condition, condition_of
from apps.audience.segments.counting import count
from apps.audience.segments.keeping import create_segment
from apps.audience.segments.pages import page_of
from apps.campaigns.funnel import funnel
from apps.core import clock
from apps.core.enums import Category, Channel
from tests.bench.cast import invite
from tests.bench.results import Result, result

MANY, PAGE = 1_000_000, 2_000
_FILL = (
    """INSERT INTO audience_recipient (id, tenant_id, user_id, locale, timezone, attributes, preferences_version, created_at, updated_at)
    SELECT uuidv7(), %(tenant)s, 's_' || n, (ARRAY['de-CH', 'de', 'en', 'fr', 'ar'])[1 + n %% 5],
        (ARRAY['Europe/Zurich', 'Europe/Berlin', 'UTC', 'America/New_York'])[1 + n %% 4],
        jsonb_build_object('plan', (ARRAY['free', 'pro', 'team'])[1 + n %% 3], 'age', n %% 90, 'first_name', 'Zoe' || n %% 1000,
            'vip', n %% 50 = 0, 'city', 'City ' || n %% 2000, 'since', to_char(date '2020-01-01' + n %% 2000, 'YYYY-MM-DD')),
        0, now() - (n %% 700) * interval '1 day', now() FROM generate_series(1, %(count)s) n""",
    """INSERT INTO audience_endpoint (id, created_at, updated_at, channel, kind, sealed, address_hash, masked, platform, verified_at,
        retired_reason, recipient_id, tenant_id)
    SELECT uuidv7(), now(), now(), 'email', 'email', '\\x', sha256(user_id::bytea), '', '', now(), '', id, tenant_id
    FROM audience_recipient WHERE tenant_id = %(tenant)s""",
    """INSERT INTO insights_activity (recipient_id, channel, tenant_id, sent_at, opened_at)
    SELECT id, 'email', tenant_id, created_at, CASE WHEN locale = 'de' THEN created_at END
    FROM audience_recipient WHERE tenant_id = %(tenant)s""",
    """INSERT INTO audience_segmentmember (segment_id, recipient_id, tenant_id)
    SELECT %(list)s, id, tenant_id FROM audience_recipient WHERE tenant_id = %(tenant)s AND attributes @> '{"vip": true}'""",
)
_TABLES = ("audience_segmentmember", "insights_activity", "audience_endpoint", "audience_recipient")


def _leaf(field: str, op: str, *value: Any) -> dict[str, Any]:
    return {"field": field, "op": op} | ({"value": value[0]} if value else {})


_PRO, _GERMAN = _leaf("attributes.plan", "is", "pro"), _leaf("locale", "is", "de")
QUICK: dict[str, Any] = {
    "equal_many": _PRO,
    "equal_few": _leaf("attributes.city", "is", "City 7"),
    "one_of": _leaf("attributes.plan", "in", ["pro", "free"]),
    "not_equal": _leaf("attributes.plan", "is_not", "pro"),
    "number": _leaf("attributes.age", "gt", 30),
    "day": _leaf("attributes.since", "after", "2023-01-01"),
    "contains": _leaf("attributes.first_name", "contains", "oe12"),
    "locale": _GERMAN,
    "country": _leaf("country", "is", "CH"),
    "known_since": _leaf("created_at", "in_last_days", 30),
    "three_rules": {"all": [_PRO, _GERMAN, _leaf("attributes.age", "gt", 30)]},
    "nested": {"all": [{"any": [_PRO, _leaf("attributes.vip", "is", True)]}, {"none": [_leaf("country", "is", "CH")]}]},
    "list": {"list": "vips"},
}
JOINED: dict[str, Any] = {
    "address": _leaf("address.email", "usable", True),
    "opened_lately": _leaf("activity.opened.email", "in_last_days", 30),
    "not_opened_since": _leaf("activity.opened.email", "not_in_last_days", 90),
}
MIXED: dict[str, Any] = {
    "sent_ever": _leaf("activity.sent.any", "ever"),
    "equal_and_address": {"all": [_PRO, JOINED["address"]]},
}


def counting(quick: bool) -> dict[str, Result]:
    """Milliseconds, warm, one client. Everything is deleted again."""
    many, runs = (MANY // 10, 3) if quick else (MANY, 7)
    tenant = invite("segments").tenant.id
    _filled(tenant, many, create_segment(tenant_id=tenant, key="vips", name="Vips").id)
    try:
        bare = _timed(lambda: ask("SELECT count(*) FROM audience_recipient", {}), runs)
        found: dict[str, Result] = {}
        for rules, target in ((QUICK | JOINED, "< 300 ms"), (MIXED, "told")):
            for name, rule in rules.items():
                condition = condition_of(tenant, rule, clock.now())
                took = _timed(lambda condition=condition: _exact(tenant, condition), runs)  # type: ignore[misc]
                found[f"count_{name}"] = result("ms", took, bare, target, people=_exact(tenant, condition))
        found["funnel"] = result("ms", _timed(lambda: _reached(tenant), 2 if quick else 3), bare, "told")
        found["page"] = result("people/s", [_walked(tenant) for _ in range(2)], [], "told", page=PAGE)
        return found
    finally:
        _emptied(tenant)


def _exact(tenant: UUID, condition: Condition) -> int:
    found = count(tenant, condition, within_ms=60_000)
    assert found.is_exact
    return found.number


def _reached(tenant: UUID) -> None:
    condition = condition_of(tenant, _PRO, clock.now())
    channels = (Channel.EMAIL, Channel.PUSH, Channel.SMS)
    funnel(tenant, condition, channels=channels, category=Category.MARKETING, now=clock.now(), within_ms=60_000)


def _walked(tenant: UUID) -> float:
    """All of a third of the people, as a campaign goes through them."""
    condition, after, number, begun = condition_of(tenant, _PRO, clock.now()), None, 0, time.perf_counter()
    while page := page_of(tenant, condition, after=after, size=PAGE):
        number, after = number + len(page), page[-1]
    return number / (time.perf_counter() - begun)


def _timed(do: Callable[[], Any], runs: int) -> list[float]:
    took = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        do()
        took.append((time.perf_counter() - begun) * 1e3)
    return took[1:]


def _filled(tenant: UUID, many: int, list_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for sql in _FILL:
            cursor.execute(sql, {"tenant": tenant, "count": many, "list": list_id})
        for table in _TABLES:
            cursor.execute(f"VACUUM ANALYZE {table}")


def _emptied(tenant: UUID) -> None:
    """Without asking for each row whether another table knows it: those that do are emptied first."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in _TABLES:
            cursor.execute(f"DELETE FROM {table} WHERE tenant_id = %s", [tenant])
        cursor.execute("SET session_replication_role = origin")
        for table in _TABLES:
            cursor.execute(f"VACUUM ANALYZE {table}")
        cursor.execute("RESET statement_timeout")
