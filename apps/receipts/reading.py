"""What a stored call says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from apps.channels import registry
from apps.channels import selectors as channels
from apps.channels.reading import PartlyUnreadableError
from apps.core import crypto
from apps.core.types import Account, InboundText, ProviderCall, Receipt
from apps.receipts.models import ReceiptCall


class StoredCall(msgspec.Struct, frozen=True):
    """What a row has sealed. `headers` by lower-case name, without the caller's credentials."""

    headers: dict[str, str]
    body: bytes
    url: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """`receipts`: those that are still to be applied. `unread`: why some events of the call are missing among them."""

    call: ReceiptCall
    account: Account
    receipts: Sequence[Receipt]
    texts: Sequence[InboundText]
    unread: Exception | None = None


def accounts_of(calls: Iterable[ReceiptCall]) -> Mapping[UUID, Account | None]:
    return {account_id: channels.account_by_id(account_id) for account_id in {call.account_id for call in calls}}


def read(call: ReceiptCall, accounts: Mapping[UUID, Account | None]) -> Read:
    """Raises ValueError and whatever else a provider's parser does with what it does not know; LookupError without the account."""
    account = accounts[call.account_id]
    if account is None:
        raise LookupError("the account is gone")
    said = opened(call)
    provider = registry.provider(account.provider)
    unread = None
    try:
        receipts = provider.parse_receipts(account, said)
    except PartlyUnreadableError as error:
        receipts, unread = error.receipts, error
    if call.waiting is not None:
        waits = frozenset(call.waiting)
        receipts = [receipt for receipt in receipts if receipt.event_id in waits]
    return Read(call, account, receipts, provider.parse_inbound(account, said), unread)


def opened(call: ReceiptCall) -> ProviderCall:
    """Raises UndecipherableError, msgspec.DecodeError."""
    stored = msgspec.msgpack.decode(crypto.decrypt(bytes(call.sealed), bound_to=call.id.bytes), type=StoredCall)
    return ProviderCall(stored.url, stored.headers, stored.body, call.received_at)
