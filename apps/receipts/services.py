"""Calls stored, then applied: in batches while all goes well, one by one when something in a batch does not."""

import logging
from collections.abc import Sequence
from time import monotonic
from uuid import UUID

import msgspec
from django.db import InterfaceError, OperationalError, transaction
from psycopg.errors import DeadlockDetected

from apps.core import crypto
from apps.core.types import Account, ProviderCall
from apps.ledger.receipts import record
from apps.receipts import follow_ups, inbound
from apps.receipts.acknowledging import acknowledge, acknowledging
from apps.receipts.keeping import due, fail, finish, keep_unmatched, next_calls
from apps.receipts.models import ReceiptCall
from apps.receipts.reading import Read, StoredCall, accounts_of, read

log = logging.getLogger(__name__)
MOST_CALLS, MOST_BYTES, MOST_RECEIPTS = 200, 4 * 1024 * 1024, 2_000
_LEFT_OUT = frozenset({"authorization", "cookie", "proxy-authorization"})


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
                calls = next_calls(MOST_CALLS, MOST_BYTES)
                claimed = [call.id for call in calls]
                to_be_answered = acknowledging(calls)
                if not to_be_answered:
                    _apply(calls)
            if to_be_answered:
                # outside of any transaction: a provider is called
                acknowledge(to_be_answered)
                with transaction.atomic():
                    _apply(list(due().filter(id__any=claimed)))
        except (OperationalError, InterfaceError) as error:
            if not isinstance(error.__cause__, DeadlockDetected):
                raise
            # two workers met on the rows of the same people; this one gave way, and comes again
            log.info("receipts applied again", extra={"calls": len(claimed)})
        except Exception as error:
            log.info("receipts applied one by one", extra={"calls": len(claimed), "error": type(error).__name__})
            for call_id in claimed:
                _apply_alone(call_id)
        if not claimed:
            return True
    return False


def _apply(calls: Sequence[ReceiptCall]) -> None:
    """All or nothing, in the caller's transaction, with a fixed number of statements (and one per account that has a row).
    Calls beyond MOST_RECEIPTS are left for the next turn."""
    accounts = accounts_of(calls)
    reads: list[Read] = []
    for call in calls:
        reads.append(read(call, accounts))
        if sum(len(one.receipts) for one in reads) >= MOST_RECEIPTS:
            break
    items = [(one, receipt) for one in reads for receipt in one.receipts]
    recorded = record([(one.account.key, receipt) for one, receipt in items])
    follow_ups.act_on(recorded.applied)
    for one in reads:
        if one.texts:
            inbound.take(one.call, one.account, one.texts)
    waiting: dict[UUID, list[str]] = {}
    for place in recorded.unmatched:
        one, receipt = items[place]
        waiting.setdefault(one.call.id, []).append(receipt.event_id)
    finish([one.call.id for one in reads if one.call.id not in waiting and one.unread is None])
    keep_unmatched([(one, waiting[one.call.id]) for one in reads if one.call.id in waiting])
    for one in reads:
        if one.unread is not None and one.call.id not in waiting:
            fail(one.call, one.unread)


def _apply_alone(call_id: UUID) -> None:
    """A call that fails whole is applied event by event."""
    try:
        with transaction.atomic():
            _apply(list(due().filter(id=call_id)))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        with transaction.atomic():
            call = due().filter(id=call_id).first()
            if call is not None:
                _apply_singly(call, error)


def _apply_singly(call: ReceiptCall, error: Exception) -> None:
    """Each event in a savepoint of its own, so that one that cannot be written does not take its neighbours with it."""
    try:
        one = read(call, accounts_of([call]))
    except Exception as unreadable:
        fail(call, unreadable)
        return
    failed = error if one.texts else one.unread
    waiting = []
    for receipt in one.receipts:
        try:
            with transaction.atomic():
                recorded = record([(one.account.key, receipt)])
                follow_ups.act_on(recorded.applied)
        except (OperationalError, InterfaceError):
            raise
        except Exception as unwritable:
            failed = unwritable
        else:
            waiting += [receipt.event_id for _ in recorded.unmatched]
    if waiting:
        keep_unmatched([(Read(call, one.account, one.receipts, (), failed), waiting)])
    elif failed is not None:
        fail(call, failed)
    else:
        finish([call.id])
