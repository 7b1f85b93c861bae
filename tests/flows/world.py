"""The whole service as real processes on this run's servers: web, two workers, two beats, the sandbox. Spoken to by HTTP only."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import requests

from notifier.local import ports
from notifier.local.children import Child, Ports, process_table, worker_arguments
from notifier.local.console import console_for
from notifier.local.environment import child_environment
from notifier.local.processes import wait_until
from notifier.local.supervisor import Supervisor
from notifier.pools import QUEUES, Pool
from tests import migrated

PROJECT = Path(__file__).resolve().parents[2]
DATABASE, REDIS_NUMBER = "flows", 9
OVER = {"delivered", "skipped", "failed", "bounced", "expired", "cancelled"}
PATIENCE = 30.0


class World:
    """A running service and the key of its demo tenant."""

    def __init__(self, places: Ports, sandbox_secret: str, demo: dict[str, str]) -> None:
        self.demo = demo
        self.web = f"http://127.0.0.1:{places.web}"
        self._sandbox = f"http://127.0.0.1:{places.sandbox}"
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["Authorization"] = f"Bearer {demo['test_key']}"
        self._outside = requests.Session()
        self._outside.trust_env = False
        self._outside.headers["Authorization"] = f"Bearer {sandbox_secret}"

    def call(self, method: str, where: str, body: Any = None, status: int = 200) -> Any:
        answer = self._http.request(method, f"{self.web}{where}", json=body, timeout=15)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def send(self, user: str, channel: str, category: str = "transactional", **fields: Any) -> str:
        """The id of a new notification with its own words on one channel."""
        message = {"title": "Hello", "body": "How are you?"}
        body = {"user_id": user, "channels": [channel], "category": category, "message": message, **fields}
        return str(self.call("POST", "/v1/notifications", body, 202)["notification_id"])

    def channel(self, shown: str) -> dict[str, Any]:
        """The notification's one delivery, or nothing yet."""
        found = self.call("GET", f"/v1/notifications/{shown}")["channels"]
        assert len(found) <= 1
        return dict(found[0]) if found else {}

    def wait(self, shown: str, *statuses: str) -> dict[str, Any]:
        """The notification's one delivery as soon as it has one of these statuses; without any: when it is over."""
        found: dict[str, Any] = {}

        def is_there() -> bool:
            found.update(self.channel(shown))
            return found.get("status") in (statuses or OVER)

        assert wait_until(is_there, PATIENCE, every=0.1), self.timeline(shown)
        return found

    def settled(self, shown: str) -> dict[str, str]:
        """The status of each channel when all are over."""
        found: dict[str, str] = {}

        def is_over() -> bool:
            channels = self.call("GET", f"/v1/notifications/{shown}")["channels"]
            found.update({one["channel"]: one["status"] for one in channels})
            return bool(found) and set(found.values()) <= OVER

        assert wait_until(is_over, PATIENCE, every=0.1), self.timeline(shown)
        return found

    def wait_for_entry(self, shown: str, kind: str) -> None:
        """Until the timeline has an entry of this kind."""

        def is_there() -> bool:
            return any(entry["kind"] == kind for entry in self.timeline(shown))

        assert wait_until(is_there, PATIENCE, every=0.1), self.timeline(shown)

    def timeline(self, shown: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.call("GET", f"/v1/notifications/{shown}/timeline")["entries"]
        return entries

    def taken(self, shown: str) -> int:
        """How often the world outside took this notification, over all attempts."""
        deliveries = [one["delivery_id"] for one in self.call("GET", f"/v1/notifications/{shown}")["channels"]]
        found = [each for one in deliveries for each in self._kept(delivery=one)]
        return sum(bool(message["taken"]) for message in found)

    def kept_for(self, address: str) -> int:
        """How many messages for an address reached the world outside."""
        return len(self._kept(address=address))

    def _kept(self, **filters: str) -> list[dict[str, Any]]:
        answer = self._outside.get(f"{self._sandbox}/messages", params=filters, timeout=5)
        assert answer.status_code == 200, answer.text
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return messages


@contextmanager
def running(scratch: Path) -> Iterator[World]:
    places = _ports()
    env = _environment(scratch, places)
    console = console_for(sys.stdout, {"NO_COLOR": "1"})
    supervisor = Supervisor(_table(places, scratch), env=env, cwd=PROJECT, console=console)
    try:
        demo_file = scratch / "demo.json"
        prepare = supervisor.launch(Child("prepare", (sys.executable, "-m", "notifier.local.prepare", str(demo_file))))
        assert wait_until(lambda: prepare.status() is not None, 90)
        assert prepare.status() == 0, list(prepare.lines)
        supervisor.start()
        end = time.monotonic() + 90
        _tick(supervisor, lambda: not supervisor.waiting_for() or time.monotonic() > end)
        assert not supervisor.waiting_for(), [(one.child.name, list(one.lines)) for one in supervisor.running]
        yield World(places, env["NOTIFIER_SANDBOX_SECRET"], json.loads(demo_file.read_text()))
        assert [one.child.name for one in supervisor.running if one.status() is not None] == []
    finally:
        supervisor.stop(patience=6)


def _tick(supervisor: Supervisor, is_done: Callable[[], bool]) -> None:
    while not is_done():
        supervisor.tick()
        time.sleep(0.05)


def _ports() -> Ports:
    web = ports.choose(None)
    stream = ports.choose(None, frozenset({web}))
    return Ports(web, stream, ports.choose(None, frozenset({web, stream})))


def _environment(scratch: Path, places: Ports) -> dict[str, str]:
    """A database and a Redis number of its own on the servers of this test run."""
    database, redis = urlsplit(os.environ["DATABASE_URL"]), urlsplit(os.environ["REDIS_URL"])
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
        template = f" TEMPLATE {name}" if (name := migrated.found()) else ""
        connection.execute(f"CREATE DATABASE {DATABASE}{template}".encode())
    own = {
        **os.environ,
        "DATABASE_URL": database._replace(path=f"/{DATABASE}").geturl(),
        "REDIS_URL": redis._replace(path=f"/{REDIS_NUMBER}").geturl(),
        "CELERY_BROKER_URL": redis._replace(path=f"/{REDIS_NUMBER}").geturl(),
        "NOTIFIER_SANDBOX_STORE": str(scratch / "sandbox.sqlite3"),
    }
    return child_environment(own, {}, {}, places)


def _table(places: Ports, scratch: Path) -> tuple[Child, ...]:
    """The runner's own table, with two workers that share all queues, and a second beat."""
    by_name = {child.name: child for child in process_table(places, scratch)}
    sandbox = by_name["sandbox"]
    beat = by_name["beat"]
    second = tuple(str(scratch / "beat-2") if part == str(scratch / "beat") else part for part in beat.command)
    return (
        by_name["web"],
        replace(sandbox, command=(*sandbox.command, "--receipts-after", "0.2")),
        *(_worker(f"worker-{number}", scratch) for number in (1, 2)),
        beat,
        replace(beat, name="beat-2", command=second),
    )


def _worker(name: str, scratch: Path) -> Child:
    arguments = worker_arguments(Pool(name, QUEUES, "threads", concurrency=16, share=4))
    command = (sys.executable, "-m", "celery", "-q", "-A", "notifier", *arguments)
    return Child(name, command, ready_file=scratch / f"{name}.ready")
