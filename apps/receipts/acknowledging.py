"""Calls that ask something of us besides being read: a subscription to be confirmed. The provider is called, so no transaction is open."""

import logging
from collections.abc import Sequence

from django.db import transaction

from apps.channels import registry
from apps.channels.base import NotSentError, Provider
from apps.channels.deadlines import Deadline
from apps.receipts.keeping import due, fail
from apps.receipts.models import ReceiptCall
from apps.receipts.reading import accounts_of, opened

log = logging.getLogger(__name__)
PATIENCE = 5.0


def acknowledging(calls: Sequence[ReceiptCall]) -> list[ReceiptCall]:
    """Those of providers that acknowledge at all."""
    asks = {name for name in {call.provider for call in calls} if name in registry.names() and _asks(name)}
    return [call for call in calls if call.provider in asks]


def acknowledge(calls: Sequence[ReceiptCall]) -> None:
    """What cannot be acknowledged now counts as a failure of its call, which is tried again later."""
    accounts = accounts_of(calls)
    for call in calls:
        account = accounts[call.account_id]
        if account is None:
            continue
        try:
            said = opened(call)
        except ValueError:
            # applying it says so, and parks it
            continue
        try:
            registry.provider(account.provider).acknowledge(account, said, Deadline(PATIENCE, PATIENCE, PATIENCE))
        except NotSentError as error:
            log.warning("receipt call not acknowledged", extra={"call": str(call.id), "code": error.outcome.code})
            with transaction.atomic():
                held = due().filter(id=call.id).first()
                if held is not None:
                    fail(held, error)


def _asks(name: str) -> bool:
    return type(registry.provider(name)).acknowledge is not Provider.acknowledge
