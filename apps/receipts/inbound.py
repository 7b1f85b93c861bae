"""Texts that people send to our numbers. STOP and START are obeyed; HELP and all else is only counted: the provider answers HELP.

Whose wish it is: the account's tenant's; for an account that serves everybody, every tenant's who knows the number.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from apps.audience.addresses import address_hashes, phone_number
from apps.audience.finding import holders
from apps.channels.owners import owner_of
from apps.core import crypto
from apps.core.enums import SuppressionReason
from apps.core.problems import Problem
from apps.core.types import Account, InboundText, NewSuppression
from apps.ledger.routing_results import claim_keys
from apps.preferences import opt_outs
from apps.receipts.keywords import START, STOP, keyword
from apps.receipts.models import ReceiptCall
from apps.tenants import selectors as tenants

SOURCE = "inbound"
REMEMBERED = timedelta(days=30)
UNKNOWN = "unknown"


def take(call: ReceiptCall, account: Account, texts: Sequence[InboundText]) -> None:
    """In the transaction that applies the call; again whenever it is applied again: each text counts once, in the order of time.
    The call says what they were: `stop 1, unknown 2`."""
    keys = {crypto.fingerprint(b"inbound", account.key.encode(), text.event_id.encode()): text for text in texts}
    known = claim_keys(dict.fromkeys(keys, (call.id, REMEMBERED)))
    fresh = sorted((text for key, text in keys.items() if key not in known), key=lambda text: text.at)
    if fresh:
        said = Counter(_obey(account, text) for text in fresh)
        heard = ", ".join(f"{word} {count}" for word, count in sorted(said.items()))
        ReceiptCall.objects.filter(id=call.id).update(heard=heard)


def _obey(account: Account, text: InboundText) -> str:
    word = text.keyword or keyword(text.text)
    if word not in {STOP, START}:
        return word or UNKNOWN
    try:
        address = phone_number(text.address, "")
    except Problem:
        # a short code or a name: nobody whom we write to
        return UNKNOWN
    owner = owner_of(account.id)
    people = holders(address, [owner] if owner else tenants.tenants())
    concerned = {owner} if owner else {tenant_id for tenant_id, _ in people}
    hashes = {tenant_id: address_hashes(tenant_id, address.channel, address.hashed) for tenant_id in concerned}
    if word == START:
        opt_outs.opt_in(people, hashes=hashes, channel=address.channel, at=text.at)
        return word
    rows = [
        NewSuppression(tenant_id, address.channel, found[0], address.masked, SuppressionReason.OPTED_OUT, SOURCE)
        for tenant_id, found in hashes.items()
    ]
    opt_outs.opt_out(people, rows, channel=address.channel, source=SOURCE, at=text.at)
    return word
