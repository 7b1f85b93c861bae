"""Sends a second through each provider's adapter, by the real dispatch with everything written, against the bare SDK.

Both talk to the same simulator, a process of its own, and take turns. Ours are the two drains that a worker process gives a queue:
claim, decide again, render, intent, request, settlement. Theirs is the SDK alone with a text that is ready, with as many requests
side by side.
"""

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.request import urlopen

import psutil
from django.db import connection
from django.test import Client

from apps.audience.addresses import device_token, email_address, phone_number
from apps.audience.services import upsert_recipients
from apps.channels.registry import provider
from apps.channels.selectors import account_by_key, forget_cached
from apps.channels.services import create_account
from apps.core import ids
from apps.core.enums import Category, Channel, KeyMode, OutcomeKind, Platform, Scope
from apps.core.types import InlineRecipient, OutboundMessage
from apps.dispatch import draining
from apps.tenants.services import create_api_key, create_tenant
from tests.bench.bare_mail import postmark_batches
from tests.bench.bare_sdks import BARE
from tests.bench.cast import NO_LIMIT, body, publish
from tests.bench.results import Result, result
from tests.bench.world import PROJECT, World
from tests.simulators.__main__ import simulator
from tests.simulators.base import Simulator

BATCH = 500
DRAINS = 2
SENDS, WATCH_EVERY = 100_000, 10_000
WATCHED = ("apns", "twilio")
PEOPLE = 1_000
PATIENCE = 60.0
TARGET = "ratio >= 0.7"
WITH_TLS = frozenset({"apns", "vonage"})
_SENT = "SELECT count(*) FROM ledger_delivery WHERE tenant_id = %s AND status = 'sent'"


@dataclass(frozen=True)
class Line:
    """A tenant whose one account leads to the simulator. `width`: requests side by side in a call; of a batch provider, its batch."""

    sim: Simulator
    tenant_id: Any
    token: str
    channel: Channel
    width: int


def providers(made: World, quick: bool) -> dict[str, Result]:
    return {f"send_{name}": _measured(made, name, quick) for name in BARE}


def _measured(made: World, name: str, quick: bool) -> Result:
    count, runs = (1_000, 1) if quick else (3_000, 3)
    with _simulated(made, name) as sim:
        line = _line(name, sim, f"bench-{name}")
        _through_us(line, BATCH, [])
        rates, theirs = [], []
        costs, bare_costs = [], []
        for _ in range(runs):
            rates.append(_through_us(line, count, costs))
            began = time.process_time()
            theirs.append(BARE[name](sim, count, line.width * DRAINS))
            bare_costs.append(round((time.process_time() - began) * 1000 / count, 2))
        extra = {"one_text_for_all": round(postmark_batches(sim, count))} if name == "postmark" else {}
        counts = json.loads(urlopen(f"{sim.url}/_counts", context=_trusting(sim)).read())
    return result(
        "messages/s",
        rates,
        theirs,
        TARGET,
        per_run=count,
        side_by_side=line.width * DRAINS,
        cpu_ms_each=median(costs),
        baseline_cpu_ms_each=median(bare_costs),
        statuses=counts["statuses"],
        **extra,
    )


def _through_us(line: Line, count: int, costs: list[float]) -> float:
    """From the first claim to the last settlement. `costs`: CPU milliseconds of this process for each message."""
    queue = f"send.transactional.{line.channel}"
    (before,) = _ask(_SENT, line.tenant_id)
    _accept(line, count)
    draining.drain("route.transactional")
    began, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(DRAINS) as pool:
        list(pool.map(_drain, [queue] * DRAINS))
    took = time.perf_counter() - began
    costs.append(round((time.process_time() - cpu) * 1000 / count, 2))
    (after,) = _ask(_SENT, line.tenant_id)
    if after - before != count:
        raise RuntimeError(f"{after - before} of {count} were sent through {line.sim.name}")
    return count / took


def _drain(queue: str) -> None:
    try:
        draining.drain(queue)
    finally:
        connection.close()


def memory(made: World) -> dict[str, Result]:
    """Resident memory of this process after 10,000, 50,000 and 100,000 sends through an adapter; the ratio is last to first."""
    found = {}
    for name in WATCHED:
        with _simulated(made, name) as sim:
            line = _line(name, sim, f"memory-{name}")
            account = account_by_key(f"memory-{name}")
            assert account
            seen: list[float] = []
            for number in range(line.width, SENDS + line.width, line.width):
                outcomes = provider(name).send(account, _letters(line), deadline=10)
                if any(outcome.kind != OutcomeKind.ACCEPTED for outcome in outcomes):
                    raise RuntimeError(f"{name} refused: {outcomes[0]}")
                if number // WATCH_EVERY > (number - line.width) // WATCH_EVERY:
                    seen.append(round(psutil.Process().memory_info().rss / 2**20, 1))
        found[f"memory_{name}"] = result("MB", [seen[-1]], [seen[0]], "ratio <= 1.05", seen=seen)
    return found


def _letters(line: Line) -> list[OutboundMessage]:
    return [
        OutboundMessage(
            reference=ids.show(ids.ATTEMPT, ids.new()),
            delivery=ids.show(ids.DELIVERY, ids.new()),
            tenant="bench",
            channel=line.channel,
            category=Category.TRANSACTIONAL,
            address=line.sim.sample_address(number),
            platform="",
            sender=line.sim.sender,
            content={"title": "Hello", "subject": "Hello", "text": "Hi", "body": "Your order is here."},
        )
        for number in range(line.width)
    ]


def _line(name: str, sim: Simulator, key: str) -> Line:
    channel = Channel(sim.channel)
    tenant = create_tenant(
        slug=key,
        name=name,
        email_from=sim.sender or "bench@example.com",
        rate_per_second=NO_LIMIT,
        rate_burst=NO_LIMIT,
    )
    caller = create_api_key(
        tenant=tenant, name=name, mode=KeyMode.LIVE, scopes=list(Scope), rate_per_second=NO_LIMIT, rate_burst=NO_LIMIT
    )
    publish(tenant)
    for start in range(0, PEOPLE, 500):
        upsert_recipients(tenant=tenant, inline=[_person(sim, channel, n) for n in range(start, start + 500)])
    adapter = provider(name)
    width = adapter.max_batch if adapter.max_batch > 1 else adapter.fan_out
    create_account(
        key=key, provider=name, channel=channel, tenant_id=tenant.id, base_url=sim.url, sender=sim.sender,
        credentials=sim.credentials, webhook_secrets=sim.webhook_secrets,
        settings={**sim.settings, "ca_bundle": sim.ca_bundle, "pool_size": adapter.fan_out},
    )  # fmt: skip
    forget_cached()
    return Line(sim, tenant.id, caller.token, channel, width)


def _person(sim: Simulator, channel: Channel, n: int) -> InlineRecipient:
    where = sim.sample_address(n)
    match channel:
        case Channel.PUSH:
            address = device_token(where, Platform.IOS if sim.name == "apns" else Platform.ANDROID, "")
        case Channel.SMS:
            address = phone_number(where, "")
        case _:
            address = email_address(where, "")
    return InlineRecipient(f"u_{n}", "en", "Europe/Berlin", {"first_name": f"Person{n}"}, addresses=(address,))


def _accept(line: Line, count: int) -> None:
    client, headers = Client(SERVER_NAME="localhost"), {"Authorization": f"Bearer {line.token}"}
    for start in range(0, count, BATCH):
        batch = [body(n % PEOPLE, "bench.order", (line.channel,)) for n in range(start, start + BATCH)]
        answer = client.post(
            "/v1/notifications/batch", json.dumps({"notifications": batch}), "application/json", headers=headers
        )
        if answer.status_code != 202:
            raise RuntimeError(answer.content[:500])


@contextmanager
def _simulated(made: World, name: str) -> Iterator[Simulator]:
    place = made.directory / f"simulator-{name}"
    place.mkdir()
    ready = place / "ready"
    options = {"key_file": str(place / "key.pem")} if name == "fcm" else {}
    sim = simulator(name, options)
    tls = ["--tls", str(place)] if name in WITH_TLS else []
    given = [word for option in options.items() for word in ("--set", "=".join(option))]
    command = [sys.executable, "-m", "tests.simulators", name, "--ready", str(ready), *tls, *given]
    process = subprocess.Popen(command, cwd=PROJECT, env=dict(os.environ))
    try:
        ends = time.monotonic() + PATIENCE
        while not (ready.exists() and ready.read_text()):
            if time.monotonic() > ends or process.poll() is not None:
                raise RuntimeError(f"The simulator {name} did not start")
            time.sleep(0.05)
        sim.url = ready.read_text()
        sim.ca_bundle = str(place / "simulator.pem") if tls else ""
        yield sim
    finally:
        process.terminate()
        process.wait(10)


def _trusting(sim: Simulator) -> Any:
    return ssl.create_default_context(cafile=sim.ca_bundle) if sim.ca_bundle else None


def _ask(sql: str, *parameters: object) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return tuple(cursor.fetchone())
