"""A provider's simulator in a process of its own, and a tenant whose one account leads there."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.test import Client

from apps.audience.addresses import device_token, email_address, phone_number, web_push_subscription
from apps.audience.services import upsert_recipients
from apps.channels.registry import provider
from apps.channels.selectors import forget_cached
from apps.channels.services import create_account
from apps.core.enums import Channel, KeyMode, Platform, Scope
from apps.core.types import Address, InlineRecipient
from apps.tenants.services import create_api_key, create_tenant
from tests.bench import mail_relay
from tests.bench.cast import NO_LIMIT, body, publish
from tests.bench.world import PROJECT, World
from tests.simulators.__main__ import simulator
from tests.simulators.base import Simulator

BATCH = 500
PEOPLE = 1_000
PATIENCE = 60.0
WITH_TLS = frozenset({"apns", "vonage"})
SIMULATED_BY = {"whatsapp": "twilio"}


@dataclass(frozen=True)
class Line:
    """A tenant whose one account leads to the simulator. `width`: requests side by side in a call; of a batch provider, its batch."""

    sim: Simulator
    tenant_id: Any
    token: str
    channel: Channel
    width: int


def line(name: str, sim: Simulator, key: str) -> Line:
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
    for start in range(0, PEOPLE, BATCH):
        upsert_recipients(tenant=tenant, inline=[_person(sim, channel, n) for n in range(start, start + BATCH)])
    adapter = provider(name)
    width = adapter.max_batch if adapter.max_batch > 1 else adapter.fan_out
    create_account(
        key=key, provider=name, channel=channel, tenant_id=tenant.id, base_url=sim.url, sender=sim.sender,
        credentials=sim.credentials, webhook_secrets=sim.webhook_secrets,
        settings={**sim.settings, "ca_bundle": sim.ca_bundle, "pool_size": adapter.fan_out},
    )  # fmt: skip
    forget_cached()
    return Line(sim, tenant.id, caller.token, channel, width)


def accept(one: Line, count: int) -> None:
    client, headers = Client(SERVER_NAME="localhost"), {"Authorization": f"Bearer {one.token}"}
    for start in range(0, count, BATCH):
        batch = [body(n % PEOPLE, "bench.order", (one.channel,)) for n in range(start, start + BATCH)]
        answer = client.post(
            "/v1/notifications/batch", json.dumps({"notifications": batch}), "application/json", headers=headers
        )
        if answer.status_code != 202:
            raise RuntimeError(answer.content[:500])


@contextmanager
def simulated(made: World, name: str) -> Iterator[Simulator]:
    """Of the provider of that name; mail over SMTP goes to a relay."""
    if name == "smtp":
        with mail_relay.started(made.directory) as relay:
            yield relay
        return
    kind = SIMULATED_BY.get(name, name)
    place = made.directory / f"simulator-{name}"
    place.mkdir(exist_ok=True)
    ready = place / "ready"
    ready.unlink(missing_ok=True)
    options = {"key_file": str(place / "key.pem")} if kind == "fcm" else {}
    sim = simulator(kind, options)
    tls = ["--tls", str(place)] if kind in WITH_TLS else []
    given = [word for option in options.items() for word in ("--set", "=".join(option))]
    command = [sys.executable, "-m", "tests.simulators", kind, "--ready", str(ready), *tls, *given]
    process = subprocess.Popen(command, cwd=PROJECT, env=dict(os.environ))
    try:
        ends = time.monotonic() + PATIENCE
        while not (ready.exists() and ready.read_text()):
            if time.monotonic() > ends or process.poll() is not None:
                raise RuntimeError(f"The simulator {kind} did not start")
            time.sleep(0.05)
        sim.url = ready.read_text()
        sim.ca_bundle = str(place / "simulator.pem") if tls else ""
        yield sim
    finally:
        process.terminate()
        process.wait(10)


def _person(sim: Simulator, channel: Channel, n: int) -> InlineRecipient:
    return InlineRecipient(
        f"u_{n}", "en", "Europe/Berlin", {"first_name": f"Person{n}"}, addresses=(_address(sim, channel, n),)
    )


def _address(sim: Simulator, channel: Channel, n: int) -> Address:
    where = sim.sample_address(n)
    match channel:
        case Channel.PUSH if sim.name == "webpush":
            said = json.loads(where)
            return web_push_subscription(said["endpoint"], said["keys"]["p256dh"], said["keys"]["auth"], "")
        case Channel.PUSH:
            return device_token(where, Platform.IOS if sim.name == "apns" else Platform.ANDROID, "")
        case Channel.SMS:
            return phone_number(where, "")
        case _:
            return email_address(where, "")
