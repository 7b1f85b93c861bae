"""The one way by which what people chose changes: version, history and cache go with it.

1. lock the people's rows, so that writers come one after another
2. read what they chose, work out what it becomes
3. write what differs, one record for each difference, and the new version
4. tell those who hold back messages of whom other hours hold now
5. after the commit, write it through to the cache
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from apps.audience.new_times import report_new_times
from apps.audience.services import bump_preferences, lock_preferences
from apps.core import clock
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Author, Change, Choices
from apps.preferences import choosing, consent, storing
from apps.preferences.differences import Difference, applied, differences, moves_digests

MOST = 500
Decide = Callable[[Choices], Change]
"""What is to change, in view of what is chosen now."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """For one person. `more`: what else is recorded about it, besides what differs."""

    tenant_id: UUID
    decide: Decide
    more: tuple[Difference, ...] = ()


def change_choices(
    *,
    tenant_id: UUID,
    recipient_id: UUID,
    change: Change,
    by: Author,
    expected_version: int | None = None,
    at: datetime | None = None,
) -> Choices:
    """What holds after it. Nothing is written where nothing differs. Raises Problem: unknown_user, stale_version when their version is
    not `expected_version`, out_of_range when there are more than MOST."""
    with transaction.atomic():
        locked = lock_preferences([recipient_id]).get(recipient_id)
        if locked is None or locked[0] != tenant_id:
            raise Problem(Code.UNKNOWN_USER)
        if expected_version is not None and locked[1] != expected_version:
            said = f"Their choices have version {locked[1]} now, not {expected_version}."
            raise Problem(Code.STALE_VERSION, said, headers={"ETag": etag(locked[1])})
        after = _change({recipient_id: Wanted(tenant_id, lambda _: change)}, by, at or clock.now())[recipient_id]
        if max(len(after.switches), len(after.mutes)) > MOST:
            raise Problem(Code.OUT_OF_RANGE, f"A person has at most {MOST} choices of a kind.")
        return after


def change_choices_of_many(
    wanted: Mapping[UUID, Wanted], *, by: Author, at: datetime | None = None
) -> dict[UUID, Choices]:
    """By recipient; who is gone meanwhile, or is of another tenant, is left out. A fixed number of statements."""
    if not wanted:
        return {}
    with transaction.atomic():
        locked = lock_preferences(wanted)
        known = {id_: wanted[id_] for id_, (tenant_id, _) in locked.items() if tenant_id == wanted[id_].tenant_id}
        return _change(known, by, at or clock.now())


def etag(version: int) -> str:
    return f'"{version}"'


def _change(wanted: Mapping[UUID, Wanted], by: Author, at: datetime) -> dict[UUID, Choices]:
    before = choosing.stored(wanted)
    by = consent.clean(by)
    after = {
        id_: applied(before[id_], one.decide(before[id_]), source=by.source, now=at) for id_, one in wanted.items()
    }
    changed = {id_: tuple(differences(before[id_], after[id_])) for id_ in wanted}
    storing.store(
        [
            storing.Changed(wanted[id_].tenant_id, id_, after[id_], found, by.source)
            for id_, found in changed.items()
            if found
        ]
    )
    consent.record(
        consent.Happening(wanted[id_].tenant_id, id_, (*found, *wanted[id_].more), by, at)
        for id_, found in changed.items()
    )
    if bumped := bump_preferences([id_ for id_, found in changed.items() if found]):
        after |= {id_: replace(after[id_], version=version) for id_, version in bumped.items()}
        transaction.on_commit(partial(choosing.keep, _only(after, bumped)))
    report_new_times(
        quiet=[id_ for id_, found in changed.items() if any(d.what == "quiet_hours" for d in found)],
        digests=[id_ for id_, found in changed.items() if any(map(moves_digests, found))],
    )
    return after


def _only(after: Mapping[UUID, Choices], ids: Iterable[UUID]) -> dict[UUID, Choices]:
    return {id_: after[id_] for id_ in ids}
