"""Magic addresses: what the sandbox does with a message, as data. Pages, docs, tests and the server read this one table.

`bounce@simulator.test`, `bounce+anything@simulator.test`, `+15005550002` and the device token `sim:bounce` behave alike.
Any other address is plainly delivered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from apps.core.enums import Channel, EventKind

DOMAIN = "simulator.test"
TOKEN_PREFIX = "sim:"
RETRY_AFTER = 2
SLOW_SECONDS = 3.0
DRIP_SECONDS = 1.0
Connection = Literal["", "slow", "drop", "down", "drip"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`error`: the answer for the message ("" accepts it); `times`: how often it is given per delivery before the message is
    accepted (0: always). `receipts`: what follows. `connection`: done to the whole call; the adapter gives such messages a call of
    their own."""

    word: str
    sentence: str
    phone: str = ""
    error: str = ""
    times: int = 0
    receipts: tuple[EventKind, ...] = ()
    connection: Connection = ""


BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour("delivered", "Accepted, then delivered.", "+15005550006", receipts=(EventKind.DELIVERED,)),
    Behaviour("bounce", "Accepted, then a hard bounce.", "+15005550002", receipts=(EventKind.BOUNCED,)),
    Behaviour("softbounce", "Accepted, then a soft bounce.", "+15005550010", receipts=(EventKind.SOFT_BOUNCED,)),
    Behaviour(
        "complaint",
        "Accepted, delivered, then reported as unwanted.",
        "+15005550011",
        receipts=(EventKind.DELIVERED, EventKind.COMPLAINED),
    ),
    Behaviour(
        "reader",
        "Accepted, delivered, then opened.",
        "+15005550015",
        receipts=(EventKind.DELIVERED, EventKind.OPENED),
    ),
    Behaviour(
        "clicker",
        "Accepted, delivered, opened, then a link in it is followed.",
        "+15005550017",
        receipts=(EventKind.DELIVERED, EventKind.OPENED, EventKind.CLICKED),
    ),
    Behaviour(
        "slow",
        "Answered after 3 seconds, then delivered.",
        "+15005550005",
        receipts=(EventKind.DELIVERED,),
        connection="slow",
    ),
    Behaviour(
        "ambiguous",
        "Taken, but the connection drops before the answer; a receipt follows and settles the doubt.",
        "+15005550009",
        receipts=(EventKind.DELIVERED,),
        connection="drop",
    ),
    Behaviour(
        "timeout",
        "Taken, but the connection drops before the answer, and no receipt ever comes: the doubt stays.",
        "+15005550012",
        connection="drop",
    ),
    Behaviour("drip", "Taken, but the answer comes one byte a second.", "+15005550014", connection="drip"),
    Behaviour(
        "flaky",
        "Refused twice for a passing fault, accepted the third time, then delivered.",
        "+15005550003",
        error="try_later",
        times=2,
        receipts=(EventKind.DELIVERED,),
    ),
    Behaviour(
        "throttled",
        "Told once to wait 2 seconds, then accepted and delivered.",
        "+15005550008",
        error="throttled",
        times=1,
        receipts=(EventKind.DELIVERED,),
    ),
    Behaviour("down", "The whole call gets 503, always.", "+15005550013", connection="down"),
    Behaviour("optout", "Refused: the person opted out.", "+15005550004", error="opted_out"),
    Behaviour("invalid", "Refused: there is no such address.", "+15005550001", error="invalid_address"),
)
WORDS: Mapping[str, Behaviour] = {behaviour.word: behaviour for behaviour in BEHAVIOURS}
DELIVERED = WORDS["delivered"]
_PHONES = {behaviour.phone: behaviour for behaviour in BEHAVIOURS}


def behaviour_of(channel: str, address: str) -> Behaviour:
    match channel:
        case Channel.SMS:
            return _PHONES.get(address, DELIVERED)
        case Channel.EMAIL:
            local, _, domain = address.lower().rpartition("@")
            return _named(local) if domain == DOMAIN else DELIVERED
        case _:
            return _named(address.removeprefix(TOKEN_PREFIX)) if address.startswith(TOKEN_PREFIX) else DELIVERED


def _named(word: str) -> Behaviour:
    return WORDS.get(word.partition("+")[0], DELIVERED)
