"""Resident memory of one process after many sends through an adapter, without the ledger."""

from collections.abc import Sequence

import psutil

from apps.channels.registry import provider
from apps.channels.selectors import account_by_key
from apps.core import ids
from apps.core.enums import Category, OutcomeKind
from apps.core.types import OutboundMessage
from tests.bench.lines import Line, line, simulated
from tests.bench.results import Result, result
from tests.bench.world import World

WATCH_EVERY = 10_000
TARGET = "ratio <= 1.05"


def memory(made: World, names: Sequence[str], sends: int) -> dict[str, Result]:
    """`seen`: MB after each WATCH_EVERY sends; the ratio is last to first."""
    return {f"memory_{name}": _measured(made, name, sends) for name in names}


def _measured(made: World, name: str, sends: int) -> Result:
    with simulated(made, name) as sim:
        one = line(name, sim, f"memory-{name}")
        account = account_by_key(f"memory-{name}")
        assert account
        addresses = [sim.sample_address(number) for number in range(one.width)]
        seen: list[float] = []
        for number in range(one.width, sends + one.width, one.width):
            outcomes = provider(name).send(account, _letters(one, addresses), deadline=10)
            if any(outcome.kind != OutcomeKind.ACCEPTED for outcome in outcomes):
                raise RuntimeError(f"{name} refused: {outcomes[0]}")
            if number // WATCH_EVERY > (number - one.width) // WATCH_EVERY:
                seen.append(round(psutil.Process().memory_info().rss / 2**20, 1))
    return result("MB", [seen[-1]], [seen[0]], TARGET, seen=seen, sends=sends)


def _letters(one: Line, addresses: Sequence[str]) -> list[OutboundMessage]:
    return [
        OutboundMessage(
            reference=ids.show(ids.ATTEMPT, ids.new()),
            delivery=ids.show(ids.DELIVERY, ids.new()),
            tenant="bench",
            channel=one.channel,
            category=Category.TRANSACTIONAL,
            address=address,
            platform="",
            sender=one.sim.sender,
            content={"title": "Hello", "subject": "Hello", "text": "Hi", "body": "Your order is here."},
        )
        for address in addresses
    ]
