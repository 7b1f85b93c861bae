"""Webhooks among a hundred endpoints that misbehave (E25): our own network is never called, a healthy tenant waits for nobody."""

import json
import time
from collections import Counter
from statistics import quantiles
from typing import Any
from uuid import uuid4

import psutil
import pytest
import requests

from apps.core import ids
from tests.faults.conftest import Experiment
from tests.faults.receivers import World, receivers
from tests.faults.system import OPEN, System

pytestmark = pytest.mark.faults
BAD, ENDPOINTS, EACH = 10, 10, 20
KINDS = (
    "500",
    "410",
    "slow",
    "drip",
    "302",
    "gzip",
    "big",
    "rebinding",
    "both",
    "mapped",
    "inside",
    "decimal",
    "nobody",
)
# what a tenant would like us to call; refused when it is saved, and put into the row all the same
INSIDE = {"mapped": "[::ffff:127.0.0.1]", "inside": "127.0.0.1", "decimal": "2130706433", "both": "both.test"}
NAMES = f"rebinding.test={OPEN},127.0.0.1;both.test={OPEN}|127.0.0.1"
SECONDS, PER_SECOND = 20, 10


class Tenant:
    def __init__(self, system: System, token: str) -> None:
        self._system = system
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    def post(self, path: str, body: dict[str, Any], status: int) -> dict[str, Any]:
        answer = self._session.post(f"{self._system.url}/v1/{path}", json=body, timeout=20)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    def endpoint(self, url: str) -> dict[str, Any]:
        return self.post("webhook-endpoints", {"url": url, "events": ["message.delivered"]}, 201)

    def notify(self, count: int) -> dict[str, Any]:
        body = {
            "recipient": {"user_id": "rosa"},
            "category": "transactional",
            "message": {"title": "A title", "body": "A body"},
            "channels": ["in_app"],
        }
        if count == 1:
            return self.post("notifications", body, 202)
        return self.post("notifications/batch", {"notifications": [body] * count}, 202)


def tenants(system: System) -> tuple[Tenant, list[Tenant]]:
    mark = uuid4().hex[:8]
    slugs = [f"healthy-{mark}", *(f"bad-{mark}-{number}" for number in range(BAD))]
    tokens = json.loads(system.run("tests.faults.webhooks_cast", json.dumps(slugs)))
    healthy, *bad = (Tenant(system, tokens[slug]) for slug in slugs)
    return healthy, bad


def misbehave(system: System, bad: list[Tenant], world: World) -> Counter[str]:
    """A hundred endpoints, of every kind."""
    kinds = Counter[str]()
    for number in range(BAD * ENDPOINTS):
        tenant, kind = bad[number % BAD], KINDS[number % len(KINDS)]
        kinds[kind] += 1
        made = tenant.endpoint(world.url(f"500/{kind}" if kind in {*INSIDE, "rebinding", "nobody"} else f"{kind}/x"))
        url = {"rebinding": world.url("500/x", "rebinding.test"), "nobody": f"http://{OPEN}:9/"}.get(kind)
        if host := INSIDE.get(kind):
            url = world.url("secrets", host)
            refused = tenant.post("webhook-endpoints", {"url": url}, 400)
            assert refused["code"] == "webhook_url_refused"
        if url:
            row = {"id": ids.read(ids.WEBHOOK_ENDPOINT, made["id"]), "url": url}
            system.query("UPDATE webhooks_webhookendpoint SET url = %(url)s WHERE id = %(id)s", row)
    return kinds


def rest(system: System) -> None:
    """What comes after has nothing to do with these endpoints, and nobody else takes rows away meanwhile."""
    system.end("system")
    system.query("UPDATE webhooks_webhookendpoint SET is_on = false")
    system.query("DELETE FROM webhooks_webhookcall")
    system.query("DELETE FROM ledger_listener")


def test_e25_webhooks_among_a_hundred_bad_endpoints(experiment: Experiment, system: System) -> None:
    since = {"since": system.query("SELECT now()")[0][0]}
    system.start("system", NAMES=NAMES)
    system.await_ready()
    worker = psutil.Process(system.processes["system"].pid)
    with receivers() as world:
        healthy, bad = tenants(system)
        kinds = misbehave(system, bad, world)
        for tenant in bad:
            tenant.notify(EACH)
        time.sleep(3)
        before = most = worker.memory_info().rss
        world.secret = healthy.endpoint(world.url("well"))["secret"]
        accepted: dict[str, float] = {}
        begun = time.monotonic()
        for number in range(SECONDS * PER_SECOND):
            time.sleep(max(0.0, begun + number / PER_SECOND - time.monotonic()))
            accepted[healthy.notify(1)["notification_id"]] = time.monotonic()
            if number % 50 == 0:
                bad[number // 50 % BAD].notify(EACH)
            most = max(most, worker.memory_info().rss)
        system.wait(lambda: len(world.ids) >= len(accepted), 30)
        heard = {said["data"]["notification_id"]: at for at, said in reversed(world.heard)}
        waits = sorted(heard[id_] - at for id_, at in accepted.items() if id_ in heard)
        off = system.query("SELECT url FROM webhooks_webhookendpoint WHERE NOT is_on AND created_at > %(since)s", since)
        errors = dict(
            system.query(
                "SELECT error, count(*) FROM webhooks_webhookattempt WHERE error <> '' AND at > %(since)s GROUP BY error",
                since,
            )
        )
    rest(system)
    figures = {
        "endpoints": sum(kinds.values()),
        "calls": dict(world.calls),
        "errors": errors,
        "healthy_told": len(heard),
        "healthy_doubled": sum(world.ids.values()) - len(world.ids),
        "healthy_p50_s": round(waits[len(waits) // 2], 3),
        "healthy_p99_s": round(quantiles(waits, n=100)[98], 3),
        "healthy_max_s": round(waits[-1], 3),
        "forged": world.forged,
        "internal_hits": world.hits,
        "of_the_gigabyte": world.sent,
        "memory_grew_mb": round((most - before) / 1024**2, 1),
        "switched_off": len(off),
    }
    mistakes = [
        name
        for name, is_wrong in {
            "not_told": set(heard) != set(accepted),
            "called_inside": world.hits > 0
            or errors.get("forbidden_address", 0) <= sum(kinds[kind] for kind in INSIDE),
            "forged": world.forged > 0,
            "late": figures["healthy_p99_s"] >= 2,
            "much_memory": figures["memory_grew_mb"] >= 50 or world.sent >= 16 * 1024**2,
            "wrongly_off_or_on": Counter(url for (url,) in off) != {world.url("410/x"): kinds["410"]},
        }.items()
        if is_wrong
    ]
    experiment.write(not mistakes, figures)
    assert not mistakes, f"{mistakes}\n{figures}"
