"""Which calls are due, and what becomes of them: done, tried again, parked, replayed, forgotten."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Func, IntegerField, QuerySet
from django.db.models.functions import Now

from apps.core import clock, ids
from apps.receipts.models import ReceiptCall
from apps.receipts.reading import Read

log = logging.getLogger(__name__)
TRIES = 3
AFTER_A_FAILURE = timedelta(seconds=5)
UNMATCHED = "unmatched"
UNMATCHED_FOR = timedelta(days=3)
SOONEST, LATEST = timedelta(seconds=2), timedelta(hours=6)
KEPT_APPLIED, KEPT = timedelta(days=7), timedelta(days=30)
AT_ONCE = 500
_DUE_AGAIN = {"applied_at": None, "parked_at": None, "tries": 0, "error": "", "waiting": None, "due_at": Now()}


def due() -> "QuerySet[ReceiptCall]":
    """Locked; what another worker holds is passed by."""
    open_calls = ReceiptCall.objects.filter(applied_at=None, parked_at=None, due_at__lte=Now())
    return open_calls.select_for_update(skip_locked=True).order_by("due_at")


def next_calls(most: int, most_bytes: int) -> list[ReceiptCall]:
    """Up to `most` due calls, of `most_bytes` together (or one that is larger), locked. Two statements."""
    size = Func(F("sealed"), function="octet_length", output_field=IntegerField())
    chosen: list[UUID] = []
    for call_id, bytes_ in due().values_list("id", size)[:most]:
        most_bytes -= bytes_
        if chosen and most_bytes < 0:
            break
        chosen.append(call_id)
    return list(ReceiptCall.objects.filter(id__any=chosen).order_by("id")) if chosen else []


def finish(call_ids: Sequence[UUID]) -> None:
    if call_ids:
        ReceiptCall.objects.filter(id__any=list(call_ids)).update(applied_at=Now(), error="", waiting=None)


def keep_unmatched(calls: Sequence[tuple[Read, list[str]]]) -> None:
    """Tried again after as long as they have waited already, so ever more rarely; only the events that wait."""
    now = clock.now()
    rows = []
    for read, waiting in calls:
        call, age = read.call, now - read.call.received_at
        call.error = f"{UNMATCHED}; {_said(read.unread)}" if read.unread else UNMATCHED
        call.due_at = now + min(max(age, SOONEST), LATEST)
        call.parked_at = now if age > UNMATCHED_FOR else None
        # events that could not be read may be readable one day: then all of the call is read again
        call.waiting = None if read.unread else waiting
        rows.append(call)
    if rows:
        ReceiptCall.objects.bulk_update(rows, ["error", "due_at", "parked_at", "waiting"])


def fail(call: ReceiptCall, error: Exception) -> None:
    """The third time it is parked. In the transaction that holds the call."""
    now = clock.now()
    call.tries += 1
    call.error = _said(error)
    call.due_at = now + AFTER_A_FAILURE * call.tries
    call.parked_at = now if call.tries >= TRIES else None
    call.waiting = None
    call.save(update_fields=["tries", "error", "due_at", "parked_at", "waiting"])
    if call.parked_at:
        log.error("receipt call parked", extra={"call": str(call.id), "provider": call.provider}, exc_info=error)


def replay(call_ids: Iterable[UUID]) -> int:
    """Due again with all their tries, whether applied, parked or open. What they said before counts once all the same."""
    return ReceiptCall.objects.filter(id__any=list(call_ids)).update(**_DUE_AGAIN)


def replay_range(*, start: datetime, end: datetime, account_id: UUID | None = None, only_parked: bool = False) -> int:
    """The same for all that came from `start` (inclusive) to `end`, a batch a transaction. How many."""
    rows = ReceiptCall.objects.filter(id__gte=ids.bound(start), id__lt=ids.bound(end)).order_by("id")
    if account_id is not None:
        rows = rows.filter(account_id=account_id)
    if only_parked:
        rows = rows.filter(parked_at__isnull=False)
    count, last = 0, None
    while found := list((rows.filter(id__gt=last) if last else rows).values_list("id", flat=True)[:AT_ONCE]):
        count += replay(found)
        last = found[-1]
    return count


def forget_old() -> int:
    """Deletes some calls that nobody will ask for any more: applied ones after a week, all after a month."""
    now = clock.now()
    applied = ReceiptCall.objects.filter(id__lt=ids.bound(now - KEPT_APPLIED)).exclude(applied_at=None)
    others = ReceiptCall.objects.filter(id__lt=ids.bound(now - KEPT))
    return sum(
        ReceiptCall.objects.filter(id__in=list(rows.order_by("id").values_list("id", flat=True)[:AT_ONCE])).delete()[0]
        for rows in (applied, others)
    )


def backlog(now: datetime) -> tuple[int, float]:
    """How many calls are due (counting stops at 10,000), and for how many seconds the oldest is."""
    rows = ReceiptCall.objects.filter(applied_at=None, parked_at=None, due_at__lte=now).order_by("due_at")
    oldest = rows.values_list("due_at", flat=True).first()
    return rows[:10_000].count(), (now - oldest).total_seconds() if oldest else 0.0


def parked() -> int:
    """Counting stops at 1,000."""
    return ReceiptCall.objects.filter(applied_at=None, parked_at__isnull=False)[:1_000].count()


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300] if isinstance(error, ValueError) else type(error).__name__
