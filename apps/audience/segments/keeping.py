"""Segments written: checked before they are kept, never changed under somebody's hands, archived instead of deleted."""

import re
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audience import models
from apps.audience.models.segments import SegmentKind
from apps.audience.segments import stored
from apps.audience.segments.compiling import compiled
from apps.audience.segments.counting import Count, count
from apps.audience.segments.fields import usages
from apps.audience.segments.rules import named_in, parse
from apps.audience.segments.stored import SegmentRow
from apps.core import clock, ids
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.rows import execute

MOST_SEGMENTS = 2_000
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
RESERVED = frozenset({"fields", "preview"})


def create_segment(*, tenant_id: UUID, key: str, name: str, rules: Mapping[str, Any] | None = None) -> SegmentRow:
    """Without rules it is a list. Raises Problem: conflict (the key is taken), out_of_range, and what is wrong with the rules, below
    `/rules`."""
    _check_key(key)
    kind = SegmentKind.LIST if rules is None else SegmentKind.RULES
    with transaction.atomic():
        _one_at_a_time(tenant_id)
        rows = models.Segment.objects.of(tenant_id)
        if rows.filter(key=key).exists():
            said = f"There is a segment or list `{key}` already, or there was: an archived one keeps its key."
            raise Problem(Code.CONFLICT, said, pointer="/key")
        if rows.count() >= MOST_SEGMENTS:
            raise Problem(Code.OUT_OF_RANGE, f"A tenant has at most {MOST_SEGMENTS:,} segments and lists.")
        if rules is not None:
            _check_rules(tenant_id, rules, None)
        models.Segment.objects.create(tenant_id=tenant_id, key=key, name=name, kind=kind.value, rules=rules or {})
    return _stored(tenant_id, key)


def update_segment(
    *, tenant_id: UUID, segment_id: UUID, name: str, rules: Mapping[str, Any] | None = None, version: int | None = None
) -> SegmentRow:
    """`version`: the one that it must have still. Raises Problem: not_found, conflict (archived; rules of a list), stale_version, and
    what is wrong with the rules."""
    with transaction.atomic():
        _one_at_a_time(tenant_id)
        row = _live(tenant_id, segment_id)
        if version is not None and version != row.version:
            raise Problem(Code.STALE_VERSION, f"It has version {row.version} now.", pointer="/version")
        if row.is_list != (rules is None):
            said = "A list has no rules." if row.is_list else "A segment needs rules."
            raise Problem(Code.CONFLICT, said, pointer="/rules")
        if rules is not None:
            _check_rules(tenant_id, rules, row.id)
        counted = {} if rules == row.rules or rules is None else {"count": None, "counted_at": None}
        models.Segment.objects.of(tenant_id).filter(id=row.id).update(
            name=name, rules=rules or {}, version=row.version + 1, updated_at=clock.now(), **counted
        )
    return _stored(tenant_id, ids.show(ids.SEGMENT, segment_id))


def archive_segment(*, tenant_id: UUID, segment_id: UUID) -> None:
    """Again: nothing. Raises Problem: not_found, conflict (something uses it; the detail names what)."""
    with transaction.atomic():
        _one_at_a_time(tenant_id)
        row = stored.segment(tenant_id, ids.show(ids.SEGMENT, segment_id))
        if row is None:
            raise Problem(Code.NOT_FOUND, "There is no such segment or list.")
        if row.archived_at is not None:
            return
        if users := users_of(tenant_id, {segment_id}).get(segment_id):
            more = f" and {len(users) - 5} more" if len(users) > 5 else ""
            raise Problem(Code.CONFLICT, f"It is used by {', '.join(users[:5])}{more}.")
        now = clock.now()
        models.Segment.objects.of(tenant_id).filter(id=segment_id).update(archived_at=now, updated_at=now)


def count_segment(*, tenant_id: UUID, segment_id: UUID, within_ms: int | None = None) -> Count:
    """Kept with the segment when it is exact. Raises Problem: not_found, and what is wrong with its rules meanwhile."""
    row = stored.segment(tenant_id, ids.show(ids.SEGMENT, segment_id))
    if row is None:
        raise Problem(Code.NOT_FOUND, "There is no such segment or list.")
    now = clock.now()
    if row.archived_at is not None:
        return Count(0, True)
    condition = compiled(tenant_id, parse(row.as_rule), now)
    found = count(tenant_id, condition) if within_ms is None else count(tenant_id, condition, within_ms=within_ms)
    if found.is_exact:
        kept = models.Segment.objects.of(tenant_id).filter(id=segment_id, version=row.version)
        kept.update(count=found.number, counted_at=now)
    return found


def users_of(tenant_id: UUID, segment_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """By segment, what uses it: other segments, and what the apps above say."""
    wanted = set(segment_ids)
    if not wanted:
        return {}
    found: dict[UUID, list[str]] = {}
    rows = stored.live(tenant_id, most=MOST_SEGMENTS)
    by_name = {name: row.id for row in rows if row.id in wanted for name in (row.key, ids.show(ids.SEGMENT, row.id))}
    for row in rows:
        if not row.is_list:
            for used in {by_name[name] for name, _ in named_in(row.rules) if name in by_name}:
                found.setdefault(used, []).append(f"segment {row.key}")
    for segment_id, said in usages(tenant_id, wanted).items():
        found.setdefault(segment_id, []).extend(said)
    return found


def _check_key(key: str) -> None:
    if _KEY.fullmatch(key) is None or key in RESERVED or ids.read(ids.SEGMENT, key) is not None:
        said = "A key has up to 63 of a-z, 0-9, - and _, and begins with a letter or digit; `fields` and `preview` are taken."
        raise Problem(Code.OUT_OF_RANGE, said, pointer="/key")


def _check_rules(tenant_id: UUID, rules: Mapping[str, Any], within: UUID | None) -> None:
    try:
        compiled(tenant_id, parse(rules), clock.now(), within=within)
    except Problem as problem:
        raise problem.below("/rules") from None


def _one_at_a_time(tenant_id: UUID) -> None:
    """Two that would be made of each other must not both find nothing wrong."""
    execute("SELECT pg_advisory_xact_lock(hashtextextended('segments ' || %(tenant)s, 0))", {"tenant": str(tenant_id)})


def _live(tenant_id: UUID, segment_id: UUID) -> SegmentRow:
    row = stored.segment(tenant_id, ids.show(ids.SEGMENT, segment_id))
    if row is None:
        raise Problem(Code.NOT_FOUND, "There is no such segment or list.")
    if row.archived_at is not None:
        raise Problem(Code.CONFLICT, "It was archived.")
    return row


def _stored(tenant_id: UUID, name: str) -> SegmentRow:
    row = stored.segment(tenant_id, name)
    assert row is not None
    return row
