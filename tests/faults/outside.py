"""The outside world: simulated providers in processes of their own, a live tenant whose accounts point at them, and their books."""

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from apps.core import ids
from notifier.local import ports
from tests.faults.producer import PEOPLE, Producer
from tests.faults.system import Process, System
from tests.simulators.__main__ import simulator
from tests.simulators.record import Line, read


@dataclass(frozen=True)
class Provided:
    """An account of the live tenant; its simulator is a process called `sim-<key>`."""

    key: str
    simulator: str
    order: int = 100
    is_tls: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


class Outside:
    """Add it to a system once; `reset` before each experiment."""

    def __init__(self, system: System, accounts: tuple[Provided, ...]) -> None:
        self.system = system
        self.accounts = {one.key: one for one in accounts}
        self.directory = system.directory / "outside"
        self.directory.mkdir()
        self._ports = {key: ports.choose(None) for key in self.accounts}
        for key in self.accounts:
            system.neighbours[f"sim-{key}"] = lambda key=key: self._process(key)  # type: ignore[misc]
            system.start(f"sim-{key}")
        system.await_ready()
        self.token = system.run("tests.faults.outside_cast", json.dumps([self._as_json(key) for key in self.accounts]))
        self._make_people()

    def reset(self) -> None:
        """Every provider well and silent, every account on and believed in."""
        for key in self.accounts:
            self.control(key)
            self.receipts(key, after=None)
        switched = self.system.query(
            "UPDATE channels_provideraccount SET is_on = true, off_reason = '' WHERE NOT is_on RETURNING key"
        )
        self.system.query("DELETE FROM preferences_suppression")
        self.system.query("UPDATE channels_alert SET ended_at = now() WHERE ended_at IS NULL")
        self.system.redis().flushall()
        # as long as processes believe what they last read of accounts, and of their health
        time.sleep(2.1 if switched else 0.6)

    def control(self, key: str, *behaviours: Mapping[str, Any]) -> None:
        """What the provider does from now on; without any: what it should."""
        self._put(key, {"behaviours": behaviours})

    def receipts(self, key: str, **plan: Any) -> None:
        self._put(key, {"receipts": plan})

    def counts(self, key: str) -> dict[str, Any]:
        return dict(self._ask("GET", key, "/_counts").json())

    def bodies(self, key: str, last: int) -> list[str]:
        """Of the last requests."""
        return list(self._ask("GET", key, f"/_bodies?last={last}").json())

    def lines(self, *keys: str) -> list[Line]:
        """What providers recorded, by their own account; all of them without keys."""
        return [line for key in keys or self.accounts for line in read(self._record(key)) if line.reference]

    def accepted(self, run: str) -> set[str]:
        rows = self.system.query("SELECT id FROM ledger_notification WHERE object_id = %(run)s", {"run": run})
        return {ids.show(ids.NOTIFICATION, id_) for (id_,) in rows}

    def events(self, run: str) -> dict[str, int]:
        rows = self.system.query(
            """SELECT e.kind, count(*) FROM ledger_delivery_event e JOIN ledger_notification n ON n.id = e.notification_id
            WHERE n.object_id = %(run)s GROUP BY 1""",
            {"run": run},
        )
        return dict(rows)  # type: ignore[arg-type]

    def books(self, run: str) -> "Books":
        deliveries = self.system.query(
            """SELECT d.id, d.status, d.channel, n.category FROM ledger_delivery d
            JOIN ledger_notification n ON n.id = d.notification_id WHERE n.object_id = %(run)s""",
            {"run": run},
        )
        attempts = self.system.query(
            """SELECT a.id, a.delivery_id, a.kind FROM ledger_attempt a JOIN ledger_delivery d ON d.id = a.delivery_id
            JOIN ledger_notification n ON n.id = d.notification_id WHERE n.object_id = %(run)s""",
            {"run": run},
        )
        resent = self.system.query("SELECT delivery_id FROM ledger_delivery_event WHERE kind = 'resent'")
        of = {ids.show(ids.ATTEMPT, attempt): delivery for attempt, delivery, _ in attempts}
        return Books(
            statuses={delivery: (channel, category, status) for delivery, status, channel, category in deliveries},
            attempts={ids.show(ids.ATTEMPT, attempt): (delivery, kind) for attempt, delivery, kind in attempts},
            lines=[line for line in self.lines() if line.reference in of],
            resent={delivery for (delivery,) in resent},
        )

    def _process(self, key: str) -> Process:
        one = self.accounts[key]
        ready = self.directory / f"{key}.ready"
        command = [
            *(sys.executable, "-m", "tests.simulators", one.simulator, "--port", str(self._ports[key])),
            *("--record", str(self._record(key)), "--ready", str(ready)),
            *("--receipts-to", f"{self.system.url}/v1/receipts/{key}"),
        ]
        for name, value in self._options(key).items():
            command += ["--set", f"{name}={value}"]
        if one.is_tls:
            command += ["--tls", str(self._tls(key))]
        return Process(f"sim-{key}", tuple(command), ready_file=ready)

    def _options(self, key: str) -> dict[str, str]:
        """Both processes must know the service account's key."""
        one = self.accounts[key]
        own = {"key_file": str(self.directory / f"{key}.pem")} if one.simulator == "fcm" else {}
        return {**own, **one.options}

    def _as_json(self, key: str) -> dict[str, Any]:
        one = self.accounts[key]
        return {
            "key": key,
            "simulator": one.simulator,
            "options": self._options(key),
            "url": self._url(key),
            "ca_bundle": self._ca_bundle(key),
            "order": one.order,
            "settings": dict(one.settings),
        }

    def _make_people(self) -> None:
        """By their first notification, which only reaches the feed."""
        producer = Producer(self.system.url, self.token, "people")
        android, apple = simulator("fcm", self._options("fcm")), simulator("apns", {})
        for number in range(PEOPLE):
            device = (
                {"token": apple.sample_address(number), "platform": "ios"}
                if number % 2
                else {"token": android.sample_address(number), "platform": "android"}
            )
            recipient = {
                "user_id": f"person_{number}",
                "email": f"person{number}@example.com",
                "phone": f"+4930{2000000 + number}",
                "devices": [device],
            }
            body = {"recipient": recipient, "category": "transactional", "message": {"body": "Hello"}}
            answer = producer.post_once("/v1/notifications", {**body, "channels": ["in_app"]}, f"person-{number}")
            assert answer is not None and answer.status_code == 202, answer and answer.text
        producer.close()

    def _put(self, key: str, body: Mapping[str, Any]) -> None:
        self._ask("PUT", key, "/_control", json=body)

    def _ask(self, method: str, key: str, path: str, **more: Any) -> requests.Response:
        """Simulators of HTTP/2 speak HTTP/1.1 for their own doors."""
        answer = requests.request(
            method, self._url(key) + path, timeout=10, verify=self._ca_bundle(key) or True, **more
        )
        answer.raise_for_status()
        return answer

    def _record(self, key: str) -> Path:
        return self.directory / f"{key}.jsonl"

    def _tls(self, key: str) -> Path:
        return self.directory / f"{key}-tls"

    def _ca_bundle(self, key: str) -> str:
        return str(self._tls(key) / "simulator.pem") if self.accounts[key].is_tls else ""

    def _url(self, key: str) -> str:
        return f"http{'s' * self.accounts[key].is_tls}://127.0.0.1:{self._ports[key]}"


@dataclass(frozen=True)
class Books:
    """One run's deliveries (channel, category, status), attempts (delivery, outcome kind) and what the providers recorded.
    `resent`: deliveries that were knowingly sent once more."""

    statuses: dict[Any, tuple[str, str, str]]
    attempts: dict[str, tuple[Any, str]]
    lines: list[Line]
    resent: set[Any]

    def taken(self) -> Counter[Any]:
        """How often providers took each delivery."""
        return Counter(self.attempts[line.reference][0] for line in self.lines if line.taken)

    def by_status(self) -> dict[str, int]:
        return dict(Counter(status for _, _, status in self.statuses.values()))

    def mistakes(self) -> dict[str, int]:
        """Attempts that were more than one request; deliveries that were taken twice without being said to be sent again, that
        count as sent and were not taken, that were taken and count as anything but sent or in doubt; open ones."""
        taken = self.taken()
        requests = Counter(line.reference for line in self.lines)
        good = {"sent", "delivered"}
        found = {
            "requests_repeated": sum(count > 1 for count in requests.values()),
            "doubled": sum(count > 1 + (delivery in self.resent) for delivery, count in taken.items()),
            "invented": sum(
                status in good and channel != "in_app" and not taken[delivery]
                for delivery, (channel, _, status) in self.statuses.items()
            ),
            "denied": sum(
                bool(taken[delivery]) and status not in {*good, "unknown", "bounced"}
                for delivery, (_, _, status) in self.statuses.items()
            ),
            "open": sum(status in {"queued", "held", "sending"} for _, _, status in self.statuses.values()),
        }
        return {name: count for name, count in found.items() if count}
