"""From acceptance to `sent` through the real workers, against one Celery message per notification."""

import sys
import time
from collections.abc import Callable
from datetime import datetime
from statistics import median

from django.db import connection

from apps.channels.sandbox import record
from notifier.local.children import Child
from tests.bench import one_each
from tests.bench.accepting import send
from tests.bench.cast import Cast
from tests.bench.results import Result, result
from tests.bench.world import World, spent

PATIENCE = 120.0
_SPAN = """
SELECT count(*) FILTER (WHERE d.status = 'sent'), extract(epoch FROM max(d.sent_at) - min(n.created_at))::float
FROM ledger_notification n JOIN ledger_delivery d ON d.notification_id = n.id WHERE n.created_at >= %s
"""


def end_to_end(made: World, cast: Cast, quick: bool) -> Result:
    """Push and SMS for each; also push and email. The baseline calls the sandbox once for each, ours twice."""
    total, runs = (4_000, 1) if quick else (6_000, 3)
    send(made, cast, "bench.order", 1_000)
    _wait(lambda: _is_idle("transactional"))
    rates, costs = [], []
    for _ in range(runs):
        before = made.cpu()
        rates.append(_delivered(made, cast, total, ("push", "sms")))
        costs.append(spent(before, made.cpu()))
    with_email = [_delivered(made, cast, total, ("push", "email")) for _ in range(1)]
    baseline, baseline_costs = _one_each(made, 1_000 if quick else 2_000, runs)
    return result(
        "notifications/s",
        rates,
        baseline,
        ">= 1,740/s, ratio >= 3",
        deliveries_per_s=round(2 * median(rates)),
        push_and_email=round(median(with_email)),
        per_run=total,
        cpu_seconds=costs,
        baseline_cpu_seconds=baseline_costs,
    )


def _delivered(made: World, cast: Cast, total: int, channels: tuple[str, ...]) -> float:
    return delivered(total, channels, lambda: send(made, cast, "bench.order", total, channels))


def delivered(total: int, channels: tuple[str, ...], post: Callable[[], object]) -> float:
    """Notifications a second, from the first row accepted to the last delivery sent, by the database's clock."""
    (since,) = _ask("SELECT clock_timestamp()")
    post()
    _wait(lambda: _is_idle("transactional"))
    sent, seconds = _ask(_SPAN, since)
    if sent != total * len(channels):
        raise RuntimeError(f"{sent} of {total * len(channels)} deliveries were sent")
    return total / float(seconds)


def _one_each(made: World, count: int, runs: int) -> tuple[list[float], list[dict[str, float]]]:
    """From the first message published to the last that the sandbox took; Celery's default pool, one process a core."""
    _ask(one_each.TABLE)
    ready = made.directory / "one_each.ready"
    command = (
        sys.executable, "-m", "celery", "-q", "-A", "tests.bench.one_each", "worker", "-Q", one_each.QUEUE,
        "--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING",
    )  # fmt: skip
    rates, costs = [], []
    with made.running(Child("one_each", command, ready_file=ready)):
        for number in range(runs):
            before, taken, began = made.cpu(), _taken(made), time.time()
            for n in range(count):
                one_each.send.delay(n=number * count + n, address=f"device-{n:06}")
            _wait(lambda taken=taken: _taken(made) >= taken + count)  # type: ignore[misc]
            last = max(line.time for line in record.read(made.record)[-count:])
            rates.append(count / (last - began))
            costs.append(spent(before, made.cpu()))
    return rates, costs


def _taken(made: World) -> int:
    return len(record.read(made.record))


def _is_idle(lane: str) -> bool:
    return not _ask("SELECT EXISTS (SELECT FROM ledger_work_item WHERE lane = %s)", lane)[0]


def _ask(sql: str, *parameters: object) -> tuple[float | datetime | bool, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return tuple(cursor.fetchone()) if cursor.description else ()


def _wait(is_done: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not is_done():
        if time.monotonic() > ends:
            raise RuntimeError(f"Not done after {PATIENCE:g} s")
        time.sleep(0.1)
