"""All check-ups, one after another. One that breaks is a finding itself, and does not keep the others from running."""

from collections.abc import Callable, Iterator
from datetime import datetime

from apps.insights.checkups import carriers, flow, servers
from apps.insights.checkups.findings import Finding, fail

Checkup = Callable[[datetime], Iterator[Finding]]
DATABASE: Checkup = servers.database
WITHOUT_DATABASE: tuple[Checkup, ...] = (servers.redis, servers.workers)
WITH_DATABASE: tuple[Checkup, ...] = (
    servers.beat,
    servers.clocks,
    servers.transactions,
    carriers.accounts,
    carriers.senders,
    carriers.expiries,
    carriers.doors,
    flow.receipts,
    flow.work,
    flow.books,
    flow.silence,
    flow.probes,
)


def examine(now: datetime) -> Iterator[Finding]:
    """What needs the database is left out when it does not answer."""
    found = list(_run(DATABASE, now))
    yield from found
    is_there = not any(one.level == "fail" and one.about == "database" for one in found)
    for checkup in (*WITHOUT_DATABASE, *(WITH_DATABASE if is_there else ())):
        yield from _run(checkup, now)


def _run(checkup: Checkup, now: datetime) -> Iterator[Finding]:
    try:
        yield from checkup(now)
    except Exception as error:
        name = checkup.__name__
        yield fail(
            name,
            f"The check itself failed: {type(error).__name__}: {error}",
            "Mend what is said above, and run it again.",
        )
