"""How many notifications are accepted (202 means: committed), against a bare Django view with one INSERT on the same server."""

import json
import sys
from statistics import median

from django.db import connection

from notifier.local import ports
from notifier.local.children import Child
from tests.bench import bare
from tests.bench.cast import Cast, body
from tests.bench.client import Job, Seen, run
from tests.bench.results import Result, result
from tests.bench.world import World, spent

BATCH = 500
LANES = ("critical", "transactional", "social", "marketing")


def accept_single(made: World, cast: Cast, quick: bool) -> Result:
    """16 connections; ours, the bare view and the bare view without middleware take turns. The workers are stopped meanwhile."""
    bodies = [json.dumps(body(n, "bench.sale")) for n in range(500)]
    seconds, runs = (1.5, 1) if quick else (3.0, 3)
    ours: list[Seen] = []
    theirs: list[Seen] = []
    barest: list[Seen] = []
    costs: list[float] = []
    bare_costs: list[float] = []
    with connection.cursor() as cursor:
        cursor.execute(bare.TABLE)
    view, least = _bare("bare", ""), _bare("barest", "1")
    with made.running(view, least), made.paused(*LANES):
        for _ in range(runs):
            before = made.cpu()
            ours.append(
                run(Job(made.ports.web, "/v1/notifications", bodies, seconds=seconds, headers=_authorised(cast)))
            )
            between = made.cpu()
            theirs.append(run(Job(_port(view), "/accept", bodies, seconds=seconds)))
            costs.append(_each(before, between, ours[-1]))
            bare_costs.append(_each(between, made.cpu(), theirs[-1]))
            barest.append(run(Job(_port(least), "/accept", bodies, seconds=seconds)))
    rates = [seen.count / seen.seconds for seen in ours]
    without = median(seen.count / seen.seconds for seen in barest)
    return result(
        "requests/s",
        rates,
        [seen.count / seen.seconds for seen in theirs],
        "ratio >= 0.55, p99 <= 50 ms",
        p50_ms=round(median(seen.percentile(0.5) for seen in ours), 1),
        p99_ms=round(median(seen.percentile(0.99) for seen in ours), 1),
        baseline_p99_ms=round(median(seen.percentile(0.99) for seen in theirs), 1),
        without_middleware=round(without),
        ratio_without_middleware=round(median(rates) / without, 3),
        cpu_ms_each=median(costs),
        baseline_cpu_ms_each=median(bare_costs),
        ratio_by_cpu=round(median(bare_costs) / median(costs), 3),
    )


def _each(before: dict[str, float], after: dict[str, float], seen: Seen) -> float:
    """Milliseconds of CPU for a request, of all servers together; half a second of warm-up went before what was counted."""
    return round(sum(spent(before, after, 0.0).values()) * 1000 / (seen.count * (seen.seconds + 0.5) / seen.seconds), 2)


def accept_batch(made: World, cast: Cast, quick: bool) -> Result:
    """500 a request, two connections."""
    batches = [
        json.dumps({"notifications": [body(n, "bench.sale") for n in range(start, start + BATCH)]})
        for start in range(0, 4 * BATCH, BATCH)
    ]
    rates, costs = [], []
    with made.paused(*LANES):
        for _ in range(1 if quick else 3):
            before = made.cpu()
            rates.append(post_batches(made, cast, batches, 20))
            costs.append(spent(before, made.cpu()))
    return result("notifications/s", rates, [], ">= 10,000/s", cpu_seconds=costs)


def post_batches(made: World, cast: Cast, batches: list[str], count: int) -> float:
    seen = run(
        Job(
            made.ports.web,
            "/v1/notifications/batch",
            batches,
            connections=2,
            count=count,
            warm_up=0.0,
            headers=_authorised(cast),
        )
    )
    return seen.count * BATCH / seen.seconds


def send(made: World, cast: Cast, event: str, total: int, channels: tuple[str, ...] = ()) -> float:
    """Accepts `total` notifications in batches; how many a second."""
    batches = [
        json.dumps({"notifications": [body(n, event, channels) for n in range(start, start + BATCH)]})
        for start in range(0, min(total, 10 * BATCH), BATCH)
    ]
    return post_batches(made, cast, batches, total // BATCH)


def _authorised(cast: Cast) -> dict[str, str]:
    return {"Authorization": f"Bearer {cast.token}"}


def _bare(name: str, least: str) -> Child:
    """The local runner's gunicorn settings."""
    port = ports.choose(None)
    command = (
        "env", f"NOTIFIER_BENCH_BARE={least}", "DJANGO_SETTINGS_MODULE=tests.bench.bare",
        sys.executable, "-m", "gunicorn", "tests.bench.bare_wsgi:application",
        "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--bind", f"127.0.0.1:{port}",
        "--preload", "--no-control-socket", "--graceful-timeout", "4", "--log-level", "warning",
    )  # fmt: skip
    return Child(name, command, health_url=f"http://127.0.0.1:{port}/healthz")


def _port(child: Child) -> int:
    return int(child.health_url.rpartition(":")[2].partition("/")[0])
