"""Sends a second through each provider's adapter, by the real dispatch with everything written, against the bare SDK.

Both talk to the same simulator, a process of its own, and take turns. Ours are the two drains that a worker process gives a queue:
claim, decide again, render, intent, request, settlement. Theirs is the SDK alone with a text that is ready, with as many requests
side by side.
"""

import json
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any
from urllib.request import urlopen

from django.db import connection

from apps.dispatch import draining
from tests.bench.bare_mail import postmark_batches
from tests.bench.bare_sdks import BARE
from tests.bench.lines import BATCH, Line, accept, line, simulated
from tests.bench.results import Result, result
from tests.bench.world import World
from tests.simulators.base import Simulator

DRAINS = 2
TARGET = "ratio >= 0.7"
_SENT = "SELECT count(*) FROM ledger_delivery WHERE tenant_id = %s AND status = 'sent'"


def providers(made: World, names: Sequence[str], quick: bool) -> dict[str, Result]:
    return {f"send_{name}": _measured(made, name, quick) for name in names}


def _measured(made: World, name: str, quick: bool) -> Result:
    count, runs = (1_000, 1) if quick else (3_000, 3)
    with simulated(made, name) as sim:
        ours = line(name, sim, f"bench-{name}")
        _through_us(ours, BATCH, [])
        rates, theirs = [], []
        costs, bare_costs = [], []
        for _ in range(runs):
            rates.append(_through_us(ours, count, costs))
            began = time.process_time()
            theirs.append(BARE[name](sim, count, ours.width * DRAINS))
            bare_costs.append(round((time.process_time() - began) * 1000 / count, 2))
        extra = {"one_text_for_all": round(postmark_batches(sim, count))} if name == "postmark" else {}
        statuses = _statuses(sim)
    return result(
        "messages/s",
        rates,
        theirs,
        TARGET,
        per_run=count,
        side_by_side=ours.width * DRAINS,
        cpu_ms_each=median(costs),
        baseline_cpu_ms_each=median(bare_costs),
        statuses=statuses,
        **extra,
    )


def _through_us(one: Line, count: int, costs: list[float]) -> float:
    """From the first claim to the last settlement. `costs`: CPU milliseconds of this process for each message."""
    queue = f"send.transactional.{one.channel}"
    (before,) = _ask(_SENT, one.tenant_id)
    accept(one, count)
    draining.drain("route.transactional")
    began, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(DRAINS) as pool:
        list(pool.map(_drain, [queue] * DRAINS))
    took = time.perf_counter() - began
    costs.append(round((time.process_time() - cpu) * 1000 / count, 2))
    (after,) = _ask(_SENT, one.tenant_id)
    if after - before != count:
        raise RuntimeError(f"{after - before} of {count} were sent through {one.sim.name}")
    return count / took


def _drain(queue: str) -> None:
    try:
        draining.drain(queue)
    finally:
        connection.close()


def _statuses(sim: Simulator) -> dict[str, int]:
    """How often it answered what, or nothing: a mail relay keeps no books."""
    if not sim.url.startswith("http"):
        return {}
    trusting = ssl.create_default_context(cafile=sim.ca_bundle) if sim.ca_bundle else None
    return dict(json.loads(urlopen(f"{sim.url}/_counts", context=trusting).read())["statuses"])


def _ask(sql: str, *parameters: object) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return tuple(cursor.fetchone())
