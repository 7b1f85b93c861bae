"""Which account takes which message: the order that the operator set, then health, then the pace at which each may be called.

Nothing here calls a provider, burns a try or sleeps: what no account can take now is told how long to wait.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from math import log
from uuid import UUID

import msgspec
from msgspec.structs import replace

from apps.channels import health, limits
from apps.channels.breaking import Record, number
from apps.channels.limits import Asked
from apps.core.enums import Category, OutcomeKind
from apps.core.types import Account, Work
from apps.ledger.tried import NOTHING, Tried, tried_accounts
from apps.routing.retrying import WORTH_WAITING

# seconds for which a probe of an open breaker is left to others: to critical work, which nothing else can carry; and from critical
# work to the rest, as long as another account carries it
AFTER_CRITICAL, SPARED = 1.0, 10.0
TRUSTED_WITH = 0.1
RETRY_LATER = (5.0, 15.0)
# what waits for a recovery comes back little by little
FIRST_BACK, BACK_WITHIN = 5, 10.0
_MOVES_ON = frozenset({OutcomeKind.PROVIDER_DOWN, OutcomeKind.MISCONFIGURED, OutcomeKind.AMBIGUOUS})


class Wanted(msgspec.Struct, frozen=True):
    """A message in need of an account. `accounts`: those that are on and reach its address, in order; at least one."""

    work: Work
    accounts: tuple[Account, ...]
    domain: str = ""


class Choice(msgspec.Struct, frozen=True):
    """`account`: None when none may be called for `wait` seconds. `is_probe`: of an open breaker, so alone. `has_other`: another
    account could take it at once if this one cannot be reached."""

    account: Account | None
    wait: float = 0.0
    is_probe: bool = False
    has_other: bool = False


def choose(wanted: Sequence[Wanted]) -> list[Choice]:
    """One choice for each message, in order. One query if any was called for before; a trip to Redis if the health of the accounts
    was not read just now, and one for each account that is in trouble, has retries, or has a rate."""
    known = {account.key: account for one in wanted for account in one.accounts}
    seen = health.records(list(known))
    called = [one.work.id for one in wanted if one.work.calls]
    tried = tried_accounts(called) if called else {}
    may_probe, now = _asks_once(), health.now()
    alone = {key: Choice(account) for key, account in known.items() if not seen[key].state and seen[key].rest(now) <= 0}
    choices = [
        alone[one.accounts[0].key]
        if len(one.accounts) == 1 and one.accounts[0].key in alone
        else _choice(one, seen, tried.get(one.work.id, NOTHING), may_probe)
        for one in wanted
    ]
    _hold_retries(wanted, choices, tried)
    _hold_to_rates(wanted, choices, seen)
    return _spread(choices)


def in_order(accounts: Sequence[Account], delivery: UUID) -> list[Account]:
    """As the operator set it; accounts of the same order share by their setting `weight`, each delivery always the same way.

    Weighted rendezvous hashing: an account that goes takes only its own share with it.
    """
    ordered: list[Account] = []
    for _, same in groupby(accounts, key=lambda account: account.order):
        tier = list(same)
        if len(tier) > 1:
            tier.sort(key=lambda account: _distance(account, delivery))
        ordered += tier
    return ordered


def _distance(account: Account, delivery: UUID) -> float:
    weight = number(account.settings, "weight")
    return -log(_share(delivery, account.key)) / weight if weight else float("inf")


def _share(delivery: UUID, key: str) -> float:
    """In (0, 1], the same for the same delivery and key."""
    digest = blake2b(delivery.bytes + key.encode(), digest_size=8).digest()
    return (int.from_bytes(digest) + 1) / 2**64


def _choice(
    one: Wanted, seen: Mapping[str, Record], tried: Tried, may_probe: Callable[[Account, float], bool]
) -> Choice:
    now = health.now()
    is_critical = one.work.lane == Category.CRITICAL
    failures = {a.key: sum(tried.get(a.key, {}).get(kind, 0) for kind in _MOVES_ON) for a in one.accounts}
    ordered = sorted(
        in_order(one.accounts, one.work.id),
        key=lambda a: (failures[a.key], _is_spared(seen[a.key], a, one.work.id, now)),
    )
    waits = []
    for account in ordered:
        record = seen[account.key]
        wait = record.rest(now)
        others = [a for a in one.accounts if a is not account and seen[a.key].rest(now) <= 0 == seen[a.key].state]
        if record.state:
            late = (SPARED if others else 0.0) if is_critical else AFTER_CRITICAL
            if record.pause <= now and now >= record.till + late and may_probe(account, late):
                return Choice(account, is_probe=True, has_other=bool(others))
            waits.append(max(wait, late - max(0.0, now - record.till), 0.5))
        elif wait <= 0:
            has_other = any(failures[other.key] <= failures[account.key] for other in others)
            return Choice(account, has_other=has_other)
        elif wait <= WORTH_WAITING and not (is_critical and others):
            return Choice(None, wait)
        else:
            waits.append(wait)
    return Choice(None, min(waits))


def _is_spared(record: Record, account: Account, delivery: UUID, now: float) -> bool:
    """An account that is distrusted comes last for most deliveries."""
    return record.doubted > now and _share(delivery, f"{account.key}:trust") > TRUSTED_WITH


def _asks_once() -> Callable[[Account, float], bool]:
    """A batch probes an account with one message at most."""
    asked: set[str] = set()

    def may_probe(account: Account, late: float) -> bool:
        if account.key in asked:
            return False
        asked.add(account.key)
        return health.permit(account, late=late)

    return may_probe


def _hold_retries(wanted: Sequence[Wanted], choices: list[Choice], tried: Mapping[UUID, Tried]) -> None:
    """What an account was called for before needs a place in its budget. Critical work needs none."""
    for account, places in _by_account(choices):
        retries = [
            place
            for place in places
            if wanted[place].work.lane != Category.CRITICAL
            and not choices[place].is_probe
            and account.key in tried.get(wanted[place].work.id, NOTHING)
        ]
        if retries and health.is_watched(account):
            for place in retries[health.retries(account, len(retries)) :]:
                choices[place] = Choice(None, random.uniform(*RETRY_LATER))


def _hold_to_rates(wanted: Sequence[Wanted], choices: list[Choice], seen: Mapping[str, Record]) -> None:
    for account, places in _by_account(choices):
        if not health.is_watched(account):
            continue
        asked = [
            Asked(wanted[place].work.lane, account.sender or str(wanted[place].work.tenant_id), wanted[place].domain)
            for place in places
        ]
        for place, wait in zip(places, limits.admit(account, seen[account.key], asked), strict=True):
            if wait:
                choices[place] = Choice(None, wait)


def _by_account(choices: Sequence[Choice]) -> list[tuple[Account, list[int]]]:
    found: dict[str, tuple[Account, list[int]]] = {}
    for place, choice in enumerate(choices):
        if choice.account:
            found.setdefault(choice.account.key, (choice.account, []))[1].append(place)
    return list(found.values())


def _spread(choices: list[Choice]) -> list[Choice]:
    """Many that wait for the same moment do not all come back at it."""
    together: dict[float, int] = {}
    for place, choice in enumerate(choices):
        if choice.account is None:
            before = together[choice.wait] = together.get(choice.wait, -1) + 1
            if before >= FIRST_BACK:
                choices[place] = replace(choice, wait=choice.wait + random.uniform(0, BACK_WITHIN))
    return choices
