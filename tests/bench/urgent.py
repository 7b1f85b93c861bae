"""How long an urgent message takes from its 202 to the provider's call, idle and behind 100,000 marketing notifications."""

import http.client
import json
import time

from django.db import connection

from apps.channels.sandbox import record
from apps.core import ids
from tests.bench.accepting import send
from tests.bench.cast import Cast, body
from tests.bench.results import Result, result
from tests.bench.world import World, spent

WAITING = 100_000
PAUSE = 0.07
_WAITING = "SELECT count(*) FROM ledger_work_item WHERE lane = 'marketing'"
_DELIVERIES = "SELECT notification_id, id FROM ledger_delivery WHERE notification_id = ANY(%s)"


def critical_latency(made: World, cast: Cast, quick: bool) -> dict[str, Result]:
    """The marketing workers stand still while their backlog is made up to its size again, and work while it is measured."""
    count, runs = (60, 1) if quick else (150, 3)
    probe(made, cast, 20)
    idle = [probe(made, cast, count) for _ in range(runs)]
    waiting, costs, loaded = [], [], []
    for _ in range(runs):
        with made.paused("marketing"):
            missing = max(0, (5_000 if quick else WAITING) - _ask(_WAITING))
            send(made, cast, "bench.sale", missing // 500 * 500 + 500)
        time.sleep(3)
        before, cpu = _ask(_WAITING), made.cpu()
        loaded.append(probe(made, cast, count))
        waiting.append((before, _ask(_WAITING)))
        costs.append(spent(cpu, made.cpu()))
    results = {}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        quiet, busy = ([percentile(run, share) for run in found] for found in (idle, loaded))
        results[f"critical_idle_{name}"] = result("ms", quiet, [], "< 250 ms", most=[run[-1] for run in idle])
        results[f"critical_loaded_{name}"] = result(
            "ms",
            busy,
            quiet,
            "< 250 ms, <= 3 x idle",
            most=[run[-1] for run in loaded],
            waiting_before_and_after=waiting,
            cpu_seconds=costs,
        )
    return results


def probe(made: World, cast: Cast, count: int) -> list[float]:
    """Milliseconds, sorted: one push at a time, some 12 a second."""
    accepted: dict[str, float] = {}
    line = http.client.HTTPConnection("127.0.0.1", made.ports.web, timeout=10)
    for n in range(count):
        headers = {"Authorization": f"Bearer {cast.token}", "Content-Type": "application/json"}
        line.request("POST", "/v1/notifications", json.dumps(body(n, "bench.code", ("push",))), headers)
        answer = line.getresponse()
        at, said = time.time(), json.loads(answer.read())
        if answer.status != 202:
            raise RuntimeError(str(said))
        accepted[said["notification_id"]] = at
        time.sleep(PAUSE)
    line.close()
    time.sleep(2)
    wanted = {ids.read(ids.NOTIFICATION, shown): at for shown, at in accepted.items()}
    with connection.cursor() as cursor:
        cursor.execute(_DELIVERIES, [list(wanted)])
        began = {ids.show(ids.DELIVERY, delivery): wanted[notification] for notification, delivery in cursor.fetchall()}
    called = {line.delivery: line.time for line in record.read(made.record) if line.delivery in began}
    if len(called) != count:
        raise RuntimeError(f"{len(called)} of {count} urgent messages reached the provider")
    # a provider may be called before the caller has read its 202
    return sorted(round(max(0.0, called[delivery] - at) * 1000, 1) for delivery, at in began.items())


def percentile(found: list[float], share: float) -> float:
    return found[min(len(found) - 1, int(len(found) * share))]


def _ask(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])
