"""What differs of people's choices, written for many at once. Called by changing.py only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core import ids
from apps.core.rows import execute, recordset
from apps.core.types import Choices
from apps.preferences.differences import Difference, quiet_hours_as_json

# in the order of their keys: two writers take the same locks in the same order
_SET_CELLS = """
INSERT INTO preferences_preference AS p (id, tenant_id, recipient_id, topic, channel, is_on, digest, source, created_at, updated_at)
SELECT id, tenant_id, recipient_id, topic, channel, is_on, digest, source, at, at
FROM json_to_recordset(%(rows)s) AS r (id uuid, tenant_id uuid, recipient_id uuid, topic text, channel text, is_on boolean,
    digest text, source text, at timestamptz)
ORDER BY recipient_id, topic, channel
ON CONFLICT (recipient_id, topic, channel) DO UPDATE
SET is_on = excluded.is_on, digest = excluded.digest, source = excluded.source, updated_at = excluded.updated_at
"""
_SET_MUTES = """
INSERT INTO preferences_mute AS m (id, tenant_id, recipient_id, topic, channel, until, source, created_at, updated_at)
SELECT id, tenant_id, recipient_id, topic, channel, until, source, at, at
FROM json_to_recordset(%(rows)s) AS r (id uuid, tenant_id uuid, recipient_id uuid, topic text, channel text, until timestamptz,
    source text, at timestamptz)
ORDER BY recipient_id, topic, channel
ON CONFLICT (recipient_id, topic, channel) DO UPDATE
SET until = excluded.until, source = excluded.source, updated_at = excluded.updated_at
"""
_SET_PROFILES = """
INSERT INTO preferences_profile AS f (recipient_id, tenant_id, quiet_hours, digest_hour, digest_weekday, blocked_actors, source,
    updated_at)
SELECT recipient_id, tenant_id, quiet_hours, digest_hour, digest_weekday, blocked_actors, source, now()
FROM json_to_recordset(%(rows)s) AS r (recipient_id uuid, tenant_id uuid, quiet_hours jsonb, digest_hour smallint,
    digest_weekday smallint, blocked_actors text[], source text)
ORDER BY recipient_id
ON CONFLICT (recipient_id) DO UPDATE
SET quiet_hours = excluded.quiet_hours, digest_hour = excluded.digest_hour, digest_weekday = excluded.digest_weekday,
    blocked_actors = excluded.blocked_actors, source = excluded.source, updated_at = excluded.updated_at
"""
_CLEAR = """
DELETE FROM {table} AS t
USING json_to_recordset(%(rows)s) AS r (recipient_id uuid, topic text, channel text)
WHERE t.recipient_id = r.recipient_id AND t.topic = r.topic AND t.channel = r.channel
"""
_CLEAR_CELLS = _CLEAR.format(table="preferences_preference")
_CLEAR_MUTES = _CLEAR.format(table="preferences_mute")
_IN_PROFILE = {"quiet_hours", "digest_time", "blocked_actors"}


@dataclass(frozen=True, slots=True)
class Changed:
    tenant_id: UUID
    recipient_id: UUID
    after: Choices
    differences: tuple[Difference, ...]
    source: str


def store(changed: Sequence[Changed]) -> None:
    """At most five statements; those with nothing to do are left out."""
    _run(_CLEAR_CELLS, [row for one in changed for row in _cleared(one, "preference")])
    _run(_CLEAR_MUTES, [row for one in changed for row in _cleared(one, "mute")])
    _run(_SET_CELLS, [row for one in changed for row in _switched(one)])
    _run(_SET_MUTES, [row for one in changed for row in _muted(one)])
    _run(_SET_PROFILES, [_profile(one) for one in changed if any(d.what in _IN_PROFILE for d in one.differences)])


def _run(sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        execute(sql, {"rows": recordset(rows)})


def _cleared(one: Changed, what: str) -> Iterator[Mapping[str, Any]]:
    for difference in one.differences:
        if difference.what == what and difference.after is None:
            yield {"recipient_id": one.recipient_id, "topic": difference.topic, "channel": difference.channel}


def _switched(one: Changed) -> Iterator[Mapping[str, Any]]:
    cells = {(d.topic, d.channel) for d in one.differences if d.what == "preference"}
    for switch in one.after.switches:
        if (switch.topic, switch.channel) in cells:
            digest = switch.digest.value if switch.digest else ""
            yield _cell(one, switch) | {"is_on": switch.is_on, "digest": digest}


def _muted(one: Changed) -> Iterator[Mapping[str, Any]]:
    cells = {(d.topic, d.channel) for d in one.differences if d.what == "mute"}
    for mute in one.after.mutes:
        if (mute.topic, mute.channel) in cells:
            yield _cell(one, mute) | {"until": mute.until}


def _cell(one: Changed, row: Any) -> dict[str, Any]:
    return {
        "id": ids.new(),
        "tenant_id": one.tenant_id,
        "recipient_id": one.recipient_id,
        "topic": row.topic,
        "channel": row.channel,
        "source": row.source,
        "at": row.since,
    }


def _profile(one: Changed) -> Mapping[str, Any]:
    return {
        "recipient_id": one.recipient_id,
        "tenant_id": one.tenant_id,
        "quiet_hours": quiet_hours_as_json(one.after),
        "digest_hour": one.after.digest_hour,
        "digest_weekday": one.after.digest_weekday,
        "blocked_actors": sorted(one.after.blocked_actors),
        "source": one.source,
    }
