"""Dead letters by cause, and what an operator does with many at once: at most AT_ONCE a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.rows import fetch
from apps.core.tenant_scope import seen_sql
from apps.ledger.admin.looks import words
from apps.ledger.models import DeadLetter
from apps.ledger.services import give_up, replay

AT_ONCE = 500
MOST_GROUPED = 10_000
GROUPS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Group:
    """Open letters of one reason and queue. Counts are of the newest MOST_GROUPED letters."""

    reason: str
    sentence: str
    queue: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Groups:
    rows: list[Group]
    count: int
    is_capped: bool


def groups() -> Groups:
    """The largest first. One query, which reads no more than MOST_GROUPED rows."""
    seen, of = seen_sql()
    rows = fetch(
        f"""SELECT reason, queue, count(*), min(created_at), max(created_at) FROM (
            SELECT reason, queue, created_at FROM ledger_dead_letter WHERE resolved_at IS NULL AND {seen}
            ORDER BY id DESC LIMIT %(most)s) newest
        GROUP BY reason, queue ORDER BY count(*) DESC, reason, queue""",
        {"most": MOST_GROUPED, **of},
    )
    count = sum(row[2] for row in rows)
    found = [Group(reason, words(reason), *rest) for reason, *rest in rows[:GROUPS_SHOWN]]
    return Groups(found, count, count >= MOST_GROUPED)


def oldest_of(*, reason: str, queue: str) -> list[UUID]:
    """Open letters of a group, at most AT_ONCE."""
    rows = DeadLetter.objects.all_tenants().filter(resolved_at=None, reason=reason, queue=queue)
    return list(rows.order_by("id").values_list("id", flat=True)[:AT_ONCE])


def replay_letters(letters: Sequence[UUID], *, by: str) -> str:
    """What was done, in a sentence."""
    asked = _still_open(letters)
    replay(dead_letter_ids=letters, by=by)
    left = _still_open(letters)
    done = f"{asked - left} of {asked} replayed; the new tries are picked up within a second."
    if not left:
        return done
    return (
        f"{done} {left} left alone: what they stand for is in doubt. Open the notification and try again there, with the tick "
        "that accepts a second copy."
    )


def give_up_letters(letters: Sequence[UUID], *, by: str) -> str:
    """What was done, in a sentence."""
    return f"{give_up(dead_letter_ids=letters, by=by)} given up for good."


def _still_open(letters: Sequence[UUID]) -> int:
    return DeadLetter.objects.all_tenants().filter(id__in=letters, resolved_at=None).count()
