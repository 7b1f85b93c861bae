"""The first notification, told as it happens: one call, two people, four channels. Speaks to the service by HTTP only."""

import json
import shlex
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

import requests

from notifier.local.console import Console

_PATIENCE = 60.0
_POLL_EVERY = 0.1
_FINAL = frozenset({"delivered", "skipped", "failed", "bounced", "expired", "cancelled"})
_COLOURS = {"delivered": "green", "failed": "red", "bounced": "red", "skipped": "yellow", "sent": "bold"}
_RIDE = {
    "id": "R-1029",
    "driver": "Mara",
    "car": "white Skoda, B-RD 4711",
    "pickup": "Alexanderplatz 3",
    "eta_minutes": 4,
}


class Demo(TypedDict):
    """What `seed_demo --out` writes."""

    tenant: str
    test_key: str
    admin_user: str
    admin_password: str
    rider: str
    contact: str


@dataclass(frozen=True)
class Verdict:
    """`reason` says in plain words what is missing when not everything was delivered."""

    delivered: bool
    reason: str = ""


@dataclass
class _Thread:
    """One person's notification and what its timeline has said so far."""

    user_id: str
    timeline_url: str
    wanted: tuple[str, ...]
    channels: list[dict[str, Any]] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    accepted_at: datetime | None = None
    last_text: str = ""


class Story:
    """`play` sends and follows; `afterword` prints the addresses and the commands to go on with."""

    def __init__(self, public_url: str, demo: Demo, console: Console, *, patience: float = _PATIENCE) -> None:
        self._url = public_url
        self._demo = demo
        self._console = console
        self._patience = patience
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["Authorization"] = f"Bearer {demo['test_key']}"

    def play(self) -> Verdict:
        """Never raises for what the service answers or fails to answer; that is the verdict's reason."""
        end = time.monotonic() + self._patience
        try:
            threads = self._send()
            while not _is_settled(threads) and time.monotonic() < end:
                for thread in threads:
                    with suppress(requests.ConnectionError, requests.Timeout):
                        self._tell_news(thread)
                time.sleep(_POLL_EVERY)
        except (requests.RequestException, ValueError, KeyError) as error:
            return Verdict(False, f"The API did not answer as it should: {error!r}")
        missing = [text for thread in threads for text in _missing(thread)]
        return Verdict(not missing, "\n".join(missing))

    def afterword(self) -> None:
        url, demo, paint = self._url, self._demo, self._console.paint
        lines = [
            ("API reference", f"{url}/docs    try it out: {url}/docs/try"),
            ("Campaigns", f"{url}/admin/campaigns/campaign/    50,000 people, one campaign on its way: in a minute"),
            ("Admin", f"{url}/admin/    user {demo['admin_user']}, password {demo['admin_password']}"),
            (
                "Also with it",
                "mira writes campaigns, paul approves them, sue helps people: users with the same password",
            ),
            ("What was sent", f"{url}/admin/sandbox/    every message is kept there, none leaves this machine"),
            ("Test key", demo["test_key"]),
            ("Send another one", ""),
            ("", self._curl("/v1/notifications", demo["test_key"], {"event_type": "ride.booked", **_request(demo)})),
        ]
        if settings := self._made("preference-links", "url"):
            lines.append(("The rider's page", f"{settings}    what to get, when, and why not"))
        if token := self._made("inbox-tokens", "token"):
            lines += [("The rider's inbox", f"{url}/v1/inbox"), ("", self._curl("/v1/inbox", token))]
        self._console.plain("")
        for title, text in lines:
            self._console.plain(f"  {paint(f'{title:<18}', 'bold')}{text}" if title else f"  {text}")
        self._console.plain("")

    def _send(self) -> list[_Thread]:
        body = {"event_type": "ride.booked", "event_id": f"ride-{uuid.uuid4()}", **_request(self._demo)}
        self._console.plain("")
        self._console.plain("  One call: a ride is booked. The rider gets push, email and in-app, the contact an SMS.")
        answer = self._http.post(
            f"{self._url}/v1/notifications",
            json=body,
            headers={"Idempotency-Key": str(uuid.uuid4())},
            timeout=10,
        )
        if answer.status_code != 202:
            raise ValueError(f"POST /v1/notifications answered {answer.status_code}: {answer.text[:500]}")
        self._console.plain(f"  202 after {answer.elapsed.total_seconds() * 1000:.0f} ms")
        wanted = {one["user_id"]: tuple(one["channels"]) for one in body["recipients"]}
        made = {one["user_id"]: one["timeline_url"] for one in answer.json()["notifications"]}
        return [_Thread(user_id, made[user_id], channels) for user_id, channels in wanted.items()]

    def _tell_news(self, thread: _Thread) -> None:
        answer = self._http.get(thread.timeline_url, timeout=10)
        answer.raise_for_status()
        timeline = answer.json()
        thread.channels = timeline["channels"]
        for entry in timeline["entries"]:
            if (identity := json.dumps(entry, sort_keys=True)) not in thread.told:
                thread.told.add(identity)
                self._tell(thread, entry)

    def _tell(self, thread: _Thread, entry: dict[str, Any]) -> None:
        at = datetime.fromisoformat(entry["at"])
        thread.accepted_at = thread.accepted_at or at
        thread.last_text = entry["text"]
        after = f"+{(at - thread.accepted_at).total_seconds() * 1000:.0f} ms"
        kind = f"{entry['kind']:<10}"
        if colour := _COLOURS.get(entry["kind"]):
            kind = self._console.paint(kind, colour)
        self._console.plain(f"  {after:>10}  {thread.user_id:<10} {entry['channel'] or '':<7} {kind} {entry['text']}")

    def _made(self, what: str, name: str) -> str:
        """Of the rider's; empty when the API does not answer as it should."""
        try:
            answer = self._http.post(f"{self._url}/v1/users/{self._demo['rider']}/{what}", json={}, timeout=10)
            return str(answer.json()[name]) if answer.ok else ""
        except (requests.RequestException, ValueError, KeyError):
            return ""

    def _curl(self, path: str, token: str, body: dict[str, Any] | None = None) -> str:
        """A command of one line that works when pasted into a shell."""
        parts = ["curl", "-sS", f"{self._url}{path}", "-H", f"Authorization: Bearer {token}"]
        if body is not None:
            parts += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        return shlex.join(parts)


def load_demo(path: Path) -> Demo:
    demo: Demo = json.loads(path.read_text())
    return demo


def _request(demo: Demo) -> dict[str, Any]:
    return {
        "recipients": [
            {"user_id": demo["rider"], "channels": ["push", "email", "in_app"]},
            {"user_id": demo["contact"], "channels": ["sms"]},
        ],
        "data": {"ride": _RIDE},
    }


def _is_settled(threads: list[_Thread]) -> bool:
    return all(
        set(thread.wanted) <= {one["channel"] for one in thread.channels}
        and all(one["status"] in _FINAL for one in thread.channels)
        for thread in threads
    )


def _missing(thread: _Thread) -> list[str]:
    """One sentence for each delivery that is not delivered, or was not even made."""
    made = {one["channel"] for one in thread.channels}
    last = f"the last entry: {thread.last_text or 'none'}"
    return [
        *(
            f"{channel} to {thread.user_id}: no delivery was made; {last}"
            for channel in thread.wanted
            if channel not in made
        ),
        *(
            f"{one['channel']} to {thread.user_id} is {one['status']}"
            f"{' (' + one['reason_text'] + ')' if one.get('reason_text') else ''}; {last}"
            for one in thread.channels
            if one["status"] != "delivered"
        ),
    ]
