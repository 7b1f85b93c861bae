"""People on lists: put there and taken off by their user_id, many at a time."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from apps.audience.segments import stored
from apps.audience.segments.stored import SegmentRow
from apps.core import ids
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.rows import atomic, execute, fetch

MOST_AT_ONCE = 10_000

# in the order of ids, so that two calls with the same people do not wait for each other in a circle
_ADD = """
INSERT INTO audience_segmentmember (segment_id, recipient_id, tenant_id)
SELECT %(segment)s::uuid, r.id, r.tenant_id FROM audience_recipient r
WHERE r.tenant_id = %(tenant)s AND r.user_id = ANY(%(user_ids)s) ORDER BY r.id
ON CONFLICT DO NOTHING
"""
_REMOVE = """
DELETE FROM audience_segmentmember m USING audience_recipient r
WHERE m.tenant_id = %(tenant)s AND m.segment_id = %(segment)s AND m.recipient_id = r.id
    AND r.tenant_id = %(tenant)s AND r.user_id = ANY(%(user_ids)s)
"""
_KNOWN = "SELECT user_id FROM audience_recipient WHERE tenant_id = %(tenant)s AND user_id = ANY(%(user_ids)s)"


class Changed(NamedTuple):
    """`number`: put on it or taken off it; who was there already, or not, is not counted. `unknown`: nobody has that user_id."""

    number: int
    unknown: tuple[str, ...]


class Member(NamedTuple):
    recipient_id: UUID
    user_id: str


def add_members(*, tenant_id: UUID, segment_id: UUID, user_ids: Collection[str]) -> Changed:
    """Raises Problem: not_found, conflict (no list, or archived). A fixed number of statements."""
    return _change(_ADD, tenant_id, segment_id, user_ids)


def remove_members(*, tenant_id: UUID, segment_id: UUID, user_ids: Collection[str]) -> Changed:
    """Raises Problem: not_found, conflict (no list, or archived)."""
    return _change(_REMOVE, tenant_id, segment_id, user_ids)


def members(tenant_id: UUID, segment_id: UUID, *, after: UUID | None, limit: int) -> list[Member]:
    """By id; `after`: only those with a greater one."""
    rows = fetch(
        """SELECT r.id, r.user_id FROM audience_segmentmember m JOIN audience_recipient r ON r.id = m.recipient_id
        WHERE m.tenant_id = %(tenant)s AND m.segment_id = %(segment)s AND (%(after)s::uuid IS NULL OR m.recipient_id > %(after)s)
        ORDER BY m.recipient_id LIMIT %(limit)s""",
        {"tenant": tenant_id, "segment": segment_id, "after": after, "limit": limit},
    )
    return [Member(*row) for row in rows]


def _change(sql: str, tenant_id: UUID, segment_id: UUID, user_ids: Collection[str]) -> Changed:
    _refuse_unless_list(stored.segment(tenant_id, ids.show(ids.SEGMENT, segment_id)))
    wanted = [user_id for user_id in dict.fromkeys(user_ids) if "\x00" not in user_id]
    parameters = {"tenant": tenant_id, "segment": segment_id, "user_ids": wanted}
    with atomic():
        known = {user_id for (user_id,) in fetch(_KNOWN, parameters)}
        number = execute(sql, parameters)
        if number:
            execute(
                """UPDATE audience_segment SET count = NULL, counted_at = NULL, updated_at = now()
                WHERE tenant_id = %(tenant)s AND id = %(segment)s""",
                parameters,
            )
    return Changed(number, tuple(user_id for user_id in user_ids if user_id not in known))


def _refuse_unless_list(row: SegmentRow | None) -> None:
    if row is None:
        raise Problem(Code.NOT_FOUND, "There is no such list.")
    if not row.is_list:
        raise Problem(Code.CONFLICT, "Its people follow from its rules: nobody is put on it or taken off it by hand.")
    if row.archived_at is not None:
        raise Problem(Code.CONFLICT, "It was archived.")
