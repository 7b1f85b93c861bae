"""Calls stored, then applied: in batches while all goes well, one by one when something in a batch does not."""

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from time import monotonic
from uuid import UUID

import msgspec
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.channels import registry
from apps.channels import selectors as channels
from apps.core import clock, crypto, ids
from apps.core.types import Account, ProviderCall, Receipt
from apps.ledger.receipts import record
from apps.receipts import follow_ups
from apps.receipts.models import ReceiptCall

log = logging.getLogger(__name__)
BATCH = 20
TRIES = 3
AFTER_A_FAILURE = timedelta(seconds=5)
UNMATCHED = "unmatched"
UNMATCHED_FOR = timedelta(minutes=10)
SOONEST, LATEST = timedelta(seconds=2), timedelta(minutes=1)
KEPT_APPLIED, KEPT = timedelta(days=7), timedelta(days=30)
FORGOTTEN_AT_ONCE = 500
_LEFT_OUT = frozenset({"authorization", "cookie", "proxy-authorization"})


class StoredCall(msgspec.Struct, frozen=True):
    """What a row has sealed. `headers` by lower-case name, without the caller's credentials."""

    headers: dict[str, str]
    body: bytes
    url: str = ""


def store_call(*, account: Account, call: ProviderCall) -> UUID:
    """One INSERT."""
    kept = {name: value for name, value in call.headers.items() if name not in _LEFT_OUT}
    row = ReceiptCall(account_id=account.id, provider=account.provider)
    stored = msgspec.msgpack.encode(StoredCall(kept, call.body, call.url))
    row.sealed = crypto.encrypt(stored, bound_to=row.id.bytes)
    row.save(force_insert=True)
    return row.id


def apply_due(*, ends: float) -> bool:
    """Applies what is due until nothing is left, or until `ends` (monotonic seconds); whether it got to the end.

    Raises OperationalError or InterfaceError when the database is away; nothing is lost by that.
    """
    while monotonic() < ends:
        claimed: list[UUID] = []
        try:
            with transaction.atomic():
                calls = list(_due()[:BATCH])
                claimed = [call.id for call in calls]
                _apply(calls)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            log.info("receipts applied one by one", extra={"calls": len(claimed), "error": type(error).__name__})
            for call_id in claimed:
                _apply_alone(call_id)
        if not claimed:
            return True
    return False


def forget_old() -> int:
    """Deletes some calls that nobody will ask for any more: applied ones after a week, all after a month."""
    now = clock.now()
    applied = ReceiptCall.objects.filter(id__lt=ids.bound(now - KEPT_APPLIED)).exclude(applied_at=None)
    others = ReceiptCall.objects.filter(id__lt=ids.bound(now - KEPT))
    return sum(
        ReceiptCall.objects.filter(
            id__in=list(rows.order_by("id").values_list("id", flat=True)[:FORGOTTEN_AT_ONCE])
        ).delete()[0]
        for rows in (applied, others)
    )


def unpark(call_ids: Iterable[UUID]) -> int:
    """Parked calls are due again, with all their tries. How many were parked."""
    rows = ReceiptCall.objects.filter(id__in=list(call_ids), applied_at=None, parked_at__isnull=False)
    return rows.update(parked_at=None, tries=0, error="", due_at=Now())


def _due() -> "QuerySet[ReceiptCall]":
    open_calls = ReceiptCall.objects.filter(applied_at=None, parked_at=None, due_at__lte=Now())
    return open_calls.select_for_update(skip_locked=True).order_by("due_at")


def _apply(calls: Sequence[ReceiptCall]) -> None:
    """All or nothing, in the caller's transaction, with a fixed number of statements (and one per account that has a row)."""
    if not calls:
        return
    accounts = {account_id: channels.account_by_id(account_id) for account_id in {call.account_id for call in calls}}
    items: list[tuple[str, Receipt]] = []
    call_of: list[UUID] = []
    for call in calls:
        account = accounts[call.account_id]
        if account is None:
            raise LookupError("the account is gone")
        receipts = _receipts(call, account)
        items += [(account.key, receipt) for receipt in receipts]
        call_of += [call.id] * len(receipts)
    recorded = record(items)
    follow_ups.act_on(recorded.applied)
    waiting = {call_of[place] for place in recorded.unmatched}
    rows = ReceiptCall.objects.filter(id__in=[call.id for call in calls if call.id not in waiting])
    rows.update(applied_at=Now(), error="")
    _keep_unmatched([call for call in calls if call.id in waiting])


def _receipts(call: ReceiptCall, account: Account) -> list[Receipt]:
    """Raises ValueError and whatever else a provider's parser does with what it does not know."""
    stored = msgspec.msgpack.decode(crypto.decrypt(bytes(call.sealed), bound_to=call.id.bytes), type=StoredCall)
    said = ProviderCall(stored.url, stored.headers, stored.body, call.received_at)
    return registry.provider(account.provider).parse_receipts(account, said)


def _keep_unmatched(calls: Sequence[ReceiptCall]) -> None:
    """Tried again after as long as they have waited already, so ever more rarely."""
    now = clock.now()
    for call in calls:
        age = now - call.received_at
        call.error = UNMATCHED
        call.due_at = now + min(max(age, SOONEST), LATEST)
        call.parked_at = now if age > UNMATCHED_FOR else None
    if calls:
        ReceiptCall.objects.bulk_update(calls, ["error", "due_at", "parked_at"])


def _apply_alone(call_id: UUID) -> None:
    try:
        with transaction.atomic():
            _apply(list(_due().filter(id=call_id)))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        _note_failure(call_id, error)


def _note_failure(call_id: UUID, error: Exception) -> None:
    with transaction.atomic():
        call = _due().filter(id=call_id).first()
        if call is None:
            return
        call.tries += 1
        call.error = f"{type(error).__name__}: {error}"[:300] if isinstance(error, ValueError) else type(error).__name__
        call.due_at = clock.now() + AFTER_A_FAILURE * call.tries
        call.parked_at = clock.now() if call.tries >= TRIES else None
        call.save(update_fields=["tries", "error", "due_at", "parked_at"])
    if call.parked_at:
        log.error("receipt call parked", extra={"call": str(call_id), "provider": call.provider}, exc_info=error)
