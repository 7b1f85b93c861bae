"""People of one campaign who say no to it, each in one way, and what the providers' records say about them afterwards."""

import json
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import requests

from tests.faults.conftest import Experiment
from tests.simulators.record import hashed
from tests.simulators.twilio import inbound

MARKETING = "category:marketing"
EMAIL, SMS = frozenset({"email"}), frozenset({"sms"})
BOTH = EMAIL | SMS
OFF = frozenset({"topic_off", "channel_off"})
MUTED, SUPPRESSED = frozenset({"muted"}), frozenset({"suppressed"})


@dataclass(frozen=True)
class No:
    """`at`: when it had been answered with 2xx, in seconds since 1970; `channels` that it closes, with these `reasons`."""

    way: str
    person: int
    channels: frozenset[str]
    reasons: frozenset[str]
    at: float


class Crowd:
    """People with an address and a number, whom no earlier experiment knows. `noes`: what each has said so far."""

    def __init__(self, trial: Experiment, size: int) -> None:
        assert trial.outside
        self.trial, self.size, self.outside = trial, size, trial.outside
        self.noes: dict[int, No] = {}
        self._mark = random.randrange(1_000, 10_000)
        self._session = requests.Session()
        self._session.trust_env = False
        self._authorization = {"Authorization": f"Bearer {trial.outside.token}"}
        self.ways: dict[str, Callable[[], None]] = {
            "one_click": self.one_click,
            "put": lambda: self._choose("put", "PUT", {"topic": MARKETING, "on": False}, BOTH),
            "patch": lambda: self._choose("patch", "PATCH", {"topic": MARKETING, "channel": "sms", "on": False}, SMS),
            "everything_off": lambda: self._choose("everything_off", "PATCH", {"topic": "*", "on": False}, BOTH),
            "mute": lambda: self._mute("mute", MARKETING),
            "pause": lambda: self._mute("pause", "*"),
            "stop_by_text": self.stop_by_text,
            "suppressed_email": lambda: self._suppress("email"),
            "suppressed_number": lambda: self._suppress("sms"),
        }
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(self._make, range(size)))

    def user(self, person: int) -> str:
        return f"crowd_{self._mark}_{person}"

    def address(self, person: int, channel: str) -> str:
        return f"crowd-{self._mark}-{person}@example.com" if channel == "email" else f"+4930{self._mark}{person:04}"

    def bodies(self, count: int, template: str) -> list[dict[str, Any]]:
        """One channel each; everybody has as many of both, half of the mails with the template."""
        bodies = []
        for number in range(count):
            person, turn = number % self.size, number // self.size
            body = self.trial.producer.body(number, user_id=self.user(person), category="marketing")
            body["channels"] = ["sms" if (person + turn) % 2 else "email"]
            if body["channels"] == ["email"] and turn % 4 < 2:
                del body["message"]
                body |= {"template_id": template, "data": {"number": number}}
            bodies.append(body)
        return bodies

    def stranger(self) -> int:
        """Somebody who has not said anything yet: the next one."""
        return next(person for person in range(self.size) if person not in self.noes)

    def one_click(self) -> None:
        """By the link in the header of a mail that just went out."""
        for body in reversed(self.outside.bodies("postmark", 4)):
            for mail in json.loads(body):
                head, _, number = mail["To"].rpartition("@")[0].rpartition("-")
                person = int(number) if head == f"crowd-{self._mark}" else None
                if person is not None and person not in self.noes:
                    headers = {one["Name"]: one["Value"] for one in mail["Headers"]}
                    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
                    link = headers["List-Unsubscribe"].strip("<>")
                    answer = requests.post(link, data={"List-Unsubscribe": "One-Click"}, timeout=20)
                    return self._said("one_click", person, EMAIL, OFF, answer)
        raise AssertionError("no mail to anybody who has not said anything yet")

    def stop_by_text(self) -> None:
        person = self.stranger()
        url = f"{self.trial.system.url}/v1/receipts/twilio"
        call = inbound(url, self.address(person, "sms"), "STOP", sid=f"SM{uuid4().hex}")
        answer = self._session.post(call.url, data=call.body, headers=dict(call.headers), timeout=20)
        self._said("stop_by_text", person, SMS, SUPPRESSED | OFF, answer)

    def cancel(self, shown: str) -> bool:
        """Whether there was something left to take back."""
        answer = self.ask("DELETE", f"/v1/notifications/{shown}")
        assert answer.status_code in {200, 409}, answer.text
        return answer.status_code == 200

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        headers = {**self._authorization, "Idempotency-Key": str(uuid4())}
        return self._session.request(method, self.trial.system.url + path, json=body, headers=headers, timeout=20)

    def has_begun(self) -> bool:
        """Whether somebody of it got a mail, and somebody a text."""
        return all(
            {line.address for line in self.outside.lines(key)}
            & {hashed(self.address(person, channel)) for person in range(self.size)}
            for key, channel in (("postmark", "email"), ("twilio", "sms"))
        )

    def late(self) -> list[tuple[float, str]]:
        """By how many seconds messages came after the no of their recipient, with the way it was said."""
        closed = {
            hashed(self.address(no.person, channel)): (no.at, no.way)
            for no in self.noes.values()
            for channel in no.channels
        }
        lines = [one for one in self.outside.lines("postmark", "twilio") if one.address in closed and one.taken]
        found = [(line.time - closed[line.address][0], closed[line.address][1]) for line in lines]
        return sorted((seconds, way) for seconds, way in found if seconds > 0)

    def _make(self, person: int) -> None:
        body = {"email": self.address(person, "email"), "phone": self.address(person, "sms")}
        url = f"{self.trial.system.url}/v1/users/{self.user(person)}"
        answer = requests.put(url, json=body, headers=self._authorization, timeout=20)
        assert answer.ok, answer.text

    def _choose(self, way: str, method: str, cell: dict[str, Any], channels: frozenset[str]) -> None:
        person = self.stranger()
        path = f"/v1/users/{self.user(person)}/preferences"
        self._said(way, person, channels, OFF, self.ask(method, path, {"preferences": [cell]}))

    def _mute(self, way: str, topic: str) -> None:
        person = self.stranger()
        body = {"mutes": [{"topic": topic, "until": "2035-01-01T00:00:00Z"}]}
        self._said(way, person, BOTH, MUTED, self.ask("PATCH", f"/v1/users/{self.user(person)}/preferences", body))

    def _suppress(self, channel: str) -> None:
        person = self.stranger()
        body = {"channel": channel, "address": self.address(person, channel)}
        answer = self.ask("POST", "/v1/suppressions", body)
        self._said(f"suppressed_{channel}", person, frozenset({channel}), SUPPRESSED, answer)

    def _said(
        self, way: str, person: int, channels: frozenset[str], reasons: frozenset[str], answer: requests.Response
    ) -> None:
        assert answer.ok, answer.text
        self.noes[person] = No(way, person, channels, reasons, time.time())
