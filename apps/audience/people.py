"""Recipients written in bulk: what is unchanged is only read, so that a repeated inline recipient costs no write."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from apps.audience import models
from apps.audience.new_times import report_new_times
from apps.core import ids
from apps.core.types import InlineRecipient


class Written(NamedTuple):
    recipient_id: UUID
    is_new: bool


_VALUES = (
    "unnest(%(ids)s::uuid[], %(user_ids)s::text[], %(locales)s::text[], %(timezones)s::text[],"
    " %(attributes)s::text[], %(blocked)s::boolean[]) AS v (id, user_id, locale, timezone, attributes, is_blocked)"
)
_INSERT = f"""
INSERT INTO audience_recipient
    (id, tenant_id, user_id, locale, timezone, attributes, blocked_at, preferences_version, created_at, updated_at)
SELECT v.id, %(tenant)s, v.user_id, coalesce(v.locale, ''), coalesce(v.timezone, ''), coalesce(v.attributes::jsonb, '{{}}'),
    CASE WHEN v.is_blocked THEN now() END, 0, now(), now()
FROM {_VALUES}
ON CONFLICT (tenant_id, user_id) DO NOTHING
RETURNING user_id, id
"""
_UPDATE = f"""
UPDATE audience_recipient AS r SET
    locale = coalesce(v.locale, r.locale),
    timezone = coalesce(v.timezone, r.timezone),
    attributes = coalesce(v.attributes::jsonb, r.attributes),
    blocked_at = CASE WHEN v.is_blocked IS NULL THEN r.blocked_at WHEN v.is_blocked THEN coalesce(r.blocked_at, now()) END,
    updated_at = now()
FROM {_VALUES}
WHERE r.tenant_id = %(tenant)s AND r.user_id = v.user_id
RETURNING r.user_id, r.id
"""


def write_people(tenant_id: UUID, inline: Sequence[InlineRecipient]) -> dict[str, Written]:
    """By user_id. One query when nothing is new, two when something is, three when another request was first to it; and what those
    ask who hold back messages of people whose time zone changed (new_times.py).

    The same user_id twice: what comes later wins, field by field.
    """
    people = _merged(inline)
    stored = _stored(tenant_id, people)
    written = {user_id: Written(row["id"], False) for user_id, row in stored.items()}
    new = [people[user_id] for user_id in sorted(people.keys() - stored.keys())]
    if new:
        written |= {user_id: Written(found, True) for user_id, found in _run(_INSERT, tenant_id, new)}
    changed = [
        person for person in people.values() if person.user_id in stored and _differs(person, stored[person.user_id])
    ]
    overtaken = [person for person in new if person.user_id not in written]
    if changed or overtaken:
        touched = sorted((*changed, *overtaken), key=lambda person: person.user_id)
        written |= {user_id: Written(found, False) for user_id, found in _run(_UPDATE, tenant_id, touched)}
    moved = [
        stored[one.user_id]["id"] for one in changed if one.timezone not in (None, stored[one.user_id]["timezone"])
    ]
    report_new_times(quiet=moved, digests=moved)
    return written


def _merged(inline: Iterable[InlineRecipient]) -> dict[str, InlineRecipient]:
    people: dict[str, InlineRecipient] = {}
    for person in inline:
        earlier = people.get(person.user_id)
        people[person.user_id] = person if earlier is None else _over(earlier, person)
    return people


def _over(earlier: InlineRecipient, later: InlineRecipient) -> InlineRecipient:
    fields = ("locale", "timezone", "attributes", "is_blocked")
    given = {name: value for name in fields if (value := getattr(later, name)) is not None}
    return replace(earlier, **given)


def _stored(tenant_id: UUID, user_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    rows = models.Recipient.objects.of(tenant_id).filter(user_id__in=list(user_ids))
    return {
        row["user_id"]: row for row in rows.values("id", "user_id", "locale", "timezone", "attributes", "blocked_at")
    }


def _differs(person: InlineRecipient, row: Mapping[str, Any]) -> bool:
    is_blocked = row["blocked_at"] is not None
    return (
        person.locale not in (None, row["locale"])
        or person.timezone not in (None, row["timezone"])
        or person.attributes not in (None, row["attributes"])
        or person.is_blocked not in (None, is_blocked)
    )


def _run(sql: str, tenant_id: UUID, people: Sequence[InlineRecipient]) -> list[tuple[str, UUID]]:
    """People in order of user_id, so that two requests cannot lock each other out."""
    values: dict[str, Any] = {
        "tenant": tenant_id,
        "ids": [ids.new() for _ in people],
        "user_ids": [person.user_id for person in people],
        "locales": [person.locale for person in people],
        "timezones": [person.timezone for person in people],
        "attributes": [_json(person.attributes) for person in people],
        "blocked": [person.is_blocked for person in people],
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[str, UUID]] = cursor.fetchall()
        return rows


def _json(attributes: Mapping[str, Any] | None) -> str | None:
    return None if attributes is None else msgspec.json.encode(attributes).decode()
