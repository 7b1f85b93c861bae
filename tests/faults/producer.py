"""Callers who do as the docs say: one idempotency key per request, the same request again until 202. They keep what they were told."""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock, local
from typing import Any
from uuid import uuid4

import requests

CHANNELS = ("email", "sms", "push", "in_app")
PEOPLE = 20


@dataclass
class Book:
    """`accepted`: key to the ids in its 202. `seconds`: how long each POST took, answered or not."""

    accepted: dict[str, list[str]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    @property
    def ids(self) -> list[str]:
        return [id_ for ids in self.accepted.values() for id_ in ids]

    def note(self, status: int, seconds: float) -> None:
        with self.lock:
            self.seconds.append(seconds)
            self.statuses[status] = self.statuses.get(status, 0) + 1


class Producer:
    """`run` marks everything that it sends (object_id), so that the books of one experiment can be told apart."""

    def __init__(self, url: str, token: str, run: str) -> None:
        self.run = run
        self.book = Book()
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._local = local()
        self._stop = Event()
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="producer")
        self._pending: list[Any] = []

    def body(self, number: int, **extra: Any) -> dict[str, Any]:
        return {
            "user_id": f"person_{number % PEOPLE}",
            "category": "critical" if number % 2 else "transactional",
            "message": {"title": "A title", "body": f"{self.run} {number}"},
            "channels": list(CHANNELS),
            "object_id": self.run,
            **extra,
        }

    def batch(self, bodies: Sequence[dict[str, Any]]) -> None:
        answer = self.post("/v1/notifications/batch", {"notifications": list(bodies)}, f"{self.run}-{uuid4()}")
        assert answer["refused"] == 0, answer

    def stream(self, count: int, per_second: float, **extra: Any) -> None:
        """Single POSTs in the background, at that rate at most."""

        def one(number: int, at: float) -> None:
            if (pause := at - time.monotonic()) > 0:
                self._stop.wait(pause)
            self.post("/v1/notifications", self.body(number, **extra), f"{self.run}-{number}")

        began = time.monotonic()
        self._pending += [self._pool.submit(one, n, began + n / per_second) for n in range(count)]

    def is_done(self) -> bool:
        return all(future.done() for future in self._pending)

    def join(self) -> None:
        for future in self._pending:
            future.result(timeout=60)

    def close(self) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def post(self, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        """Until 202, or until the end of the experiment, or for a minute."""
        until = time.monotonic() + 60
        while time.monotonic() < until and not self._stop.is_set():
            answer = self.post_once(path, body, key)
            if answer is not None and answer.status_code == 202:
                told = answer.json()
                ids = [each["notification_id"] for each in told.get("results", [told])]
                with self.book.lock:
                    earlier = self.book.accepted.setdefault(key, ids)
                assert earlier == ids, f"the same key was answered with other ids: {earlier} {ids}"
                return told
            assert answer is None or answer.status_code in {409, 429, 500, 502, 503}, answer.text
            time.sleep(0.05 + random.random() / 10)
        raise RuntimeError(f"no 202 for {key}: {self.book.statuses}")

    def post_once(self, path: str, body: dict[str, Any], key: str) -> requests.Response | None:
        """None when the connection broke or nobody answered."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        began = time.monotonic()
        try:
            answer = self._local.session.post(
                self._url + path, json=body, headers={**self._headers, "Idempotency-Key": key}, timeout=20
            )
        except requests.RequestException:
            self.book.note(0, time.monotonic() - began)
            return None
        self.book.note(answer.status_code, time.monotonic() - began)
        return answer

    def make_people(self) -> None:
        for number in range(PEOPLE):
            recipient = {
                "user_id": f"person_{number}",
                "email": f"person{number}@example.com",
                "phone": f"+4930{1000000 + number}",
                "devices": [{"token": f"device-{number:04}", "platform": "android"}],
            }
            answer = self.post_once(
                "/v1/notifications",
                {
                    "recipient": recipient,
                    "category": "transactional",
                    "message": {"body": "Hello"},
                    "object_id": self.run,
                },
                str(uuid4()),
            )
            assert answer is not None and answer.status_code == 202, answer and answer.text
