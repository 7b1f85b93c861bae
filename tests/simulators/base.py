"""What all simulators do. One of them says `name`, `reply`, and if it has receipts `receipt`; the rest is here and in server.py.

Doors besides the provider's own: GET /_taken (?reference=), GET /_bodies (?last=, of requests), GET /_counts, PUT /_control
(behaviour.Control as JSON).
"""

from asyncio import AbstractEventLoop, Transport
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import random
from threading import Lock
from time import time
from typing import Any, ClassVar

import msgspec

from apps.core.types import ProviderCall
from tests.simulators.behaviour import Behaviour, Conduct, Control, Receipts, Share, retry_after_header
from tests.simulators.record import Line, Record, hashed
from tests.simulators.wire import Event, Plan, Reply, Request, Taken

__all__ = ["Event", "Plan", "Reply", "Request", "Simulator", "Taken"]
KEPT = 100_000
KEPT_BODIES = 10_000


class Simulator:
    """Subclasses with an __init__ of their own call this one. `credentials`, `settings`, `webhook_secrets`, `sender`: what an account
    must have to be taken seriously here."""

    name: ClassVar[str]
    channel: ClassVar[str] = ""
    credentials: Mapping[str, str] = {}
    settings: Mapping[str, Any] = {}
    webhook_secrets: tuple[str, ...] = ()
    sender: str = ""
    receipts_per_call: int = 1
    max_streams: int = 100
    # until the connection has had its first yes; 0: `max_streams` from the beginning
    first_streams: int = 0
    # reads, and says nothing at all any more
    is_deaf: bool = False

    url: str = ""
    ca_bundle: str = ""

    def __init__(self) -> None:
        self.conduct = Conduct()
        self.receipts = Receipts(after=None)
        self.receipts_to = ""
        self.record = Record(None)
        self.requests: list[Request] = []
        self.taken: list[Taken] = []
        self.calls: list[tuple[int, ProviderCall]] = []
        self.errors: list[Exception] = []
        self.statuses: Counter[int] = Counter()
        self.posted: Counter[int] = Counter()
        self.count = 0
        self.taken_count = 0
        self.connections = 0
        self.open: set[Transport] = set()
        self.loop: AbstractEventLoop | None = None
        self.on_events: Callable[[list[tuple[float, Event, bool]]], None] = lambda events: None
        self._forging = Share(0.0)
        self._lock = Lock()

    # what a provider's simulator says

    def reply(self, request: Request) -> Reply:
        """The provider's answer. Pure, but for what it reads of its own earlier answers (`self.taken`)."""
        raise NotImplementedError

    def is_message(self, request: Request) -> bool:
        """Whether behaviours are meant for it: not for token exchanges, say."""
        return True

    def fault(self, request: Request, status: int, retry_after: str) -> Reply:
        """The provider's own body for a status that it was told to answer; also for 429 when a rate is exceeded."""
        return Reply(status, b"{}", retry_after_header(retry_after))

    def receipt(self, taken: Taken, kind: str, at: float) -> ProviderCall | None:
        """The signed call to `taken.receipts_to`, or None for what the provider says nothing about."""
        return None

    def receipts_call(self, events: Sequence[Event]) -> ProviderCall | None:
        """One call for up to `receipts_per_call` events that go to one URL. By default for a single one."""
        return self.receipt(events[0].taken, events[0].kind, events[0].at)

    def forged(self, call: ProviderCall) -> ProviderCall:
        """The same call as somebody else would make it, without the secret."""
        headers = {name: value for name, value in call.headers.items() if name != "authorization"}
        return ProviderCall(call.url, headers, call.body + b" ")

    def sample_address(self, number: int) -> str:
        """An address that it takes."""
        raise NotImplementedError

    # what all do

    def behave(self, **one: Any) -> None:
        """From now on this behaviour and no other (behaviour.Behaviour's fields); without any: as the provider does."""
        self.conduct.set(*([Behaviour(**one)] if one else []))

    def also(self, **one: Any) -> None:
        """This behaviour besides those in force."""
        self.conduct.add(Behaviour(**one))

    def send_receipts(self, **one: Any) -> None:
        """Receipts from now on (behaviour.Receipts' fields)."""
        self.set_receipts(Receipts(**one))

    def set_receipts(self, receipts: Receipts) -> None:
        self.receipts, self._forging = receipts, Share(receipts.forge)

    def hang_up(self) -> None:
        """Closes every connection, whatever is under way. From another thread than the server's."""
        assert self.loop
        for transport in list(self.open):
            self.loop.call_soon_threadsafe(transport.abort)

    def record_to(self, path: Path | None) -> None:
        self.record = Record(path)

    def handle(self, request: Request, *, is_acted_on: bool = True) -> Plan:
        """Decides, records and plans receipts; the answer itself is the server's to give."""
        if request.target.startswith("/_"):
            return Plan(self._own_door(request))
        with self._lock:
            self.count += 1
            request = replace(request, number=self.count)
            self.requests.append(request)
            if len(self.requests) > KEPT_BODIES:
                del self.requests[: KEPT_BODIES // 2]
        behaviours = self.conduct.for_request() if self.is_message(request) else []
        reply, is_answered, reset = self._changed(request, self._reply(request), behaviours, is_acted_on)
        self._take(request, reply, reply.status if is_answered else 0)
        return Plan(
            reply if is_answered else None,
            sum(one.delay for one in behaviours),
            max((one.drip for one in behaviours), default=0.0),
            reset,
        )

    def _reply(self, request: Request) -> Reply:
        try:
            return self.reply(request)
        except Exception as error:
            self.errors.append(error)
            return Reply(500, repr(error).encode())

    def _changed(
        self, request: Request, reply: Reply, behaviours: Sequence[Behaviour], is_acted_on: bool
    ) -> tuple[Reply, bool, int]:
        """The reply as the behaviours have it, whether it is given, and the code to reset the stream with."""
        is_answered, reset = is_acted_on, 0
        for one in behaviours:
            status = one.status or (429 if one.rate else 0)
            is_acted_on = is_acted_on and one.drop != "before" and one.reset != 7
            is_answered = is_answered and not one.drop and not one.reset
            reset = one.reset or reset
            if status:
                refused = (*reply.taken, *reply.refused)
                reply = replace(self.fault(request, status, one.retry_after), taken=(), refused=refused)
            elif one.garbage:
                reply = replace(reply, status=200, body=b"<html>fine</html>")
            elif one.retry_after:
                reply = replace(reply, headers={**reply.headers, **retry_after_header(one.retry_after)})
        if not is_acted_on:
            reply = replace(reply, taken=(), refused=(*reply.taken, *reply.refused))
        return reply, is_answered, reset

    def _take(self, request: Request, reply: Reply, status: int) -> None:
        taken = [replace(one, receipts_to=one.receipts_to or self.receipts_to) for one in reply.taken]
        is_lost = [self.conduct.is_lost(one.address) for one in taken]
        lines = [_line(request, one, status, True, lost) for one, lost in zip(taken, is_lost, strict=True)]
        lines += [_line(request, one, status, False) for one in reply.refused]
        self.record.append(lines or [_line(request, Taken("", "", ""), status, False)])
        with self._lock:
            self.statuses[status] += 1
            self.taken_count += len(taken)
            self.taken += taken
            if len(self.taken) > KEPT:
                del self.taken[: KEPT // 2]
        if self.receipts.after is not None:
            self._plan_receipts([one for one, lost in zip(taken, is_lost, strict=True) if not lost])

    def _plan_receipts(self, taken: Sequence[Taken]) -> None:
        now, plan = time(), self.receipts
        planned = []
        for one in taken:
            for place, kind in enumerate(plan.kinds, start=1):
                event = Event(one, kind, now + (plan.after or 0) * place)
                due = now + (plan.after or 0) * len(plan.kinds) * random() if plan.shuffle else event.at
                if self._forging.yes():
                    planned.append((due, event, True))
                planned += [(due, event, False)] * (1 + plan.duplicates)
        self.on_events(planned)

    def _own_door(self, request: Request) -> Reply:
        match request.method, request.path:
            case "GET", "/_taken":
                wanted = request.query.get("reference")
                found = [one for one in self.taken if wanted is None or one.reference == wanted]
                return _json([{"reference": t.reference, "delivery": t.delivery, "id": t.message_id} for t in found])
            case "GET", "/_bodies":
                return _json(
                    [one.body.decode("latin-1") for one in self.requests[-int(request.query.get("last", "1")) :]]
                )
            case "GET", "/_counts":
                return _json(
                    {
                        "requests": self.count,
                        "taken": self.taken_count,
                        "connections": self.connections,
                        "statuses": {str(status): count for status, count in self.statuses.items()},
                        "posted": {str(status): count for status, count in self.posted.items()},
                        "errors": [repr(error) for error in self.errors],
                    }
                )
            case "PUT", "/_control":
                try:
                    control = msgspec.json.decode(request.body, type=Control)
                except msgspec.DecodeError as error:
                    return Reply(400, str(error).encode())
                if control.behaviours is not None:
                    self.conduct.set(*control.behaviours)
                if control.receipts is not None:
                    self.set_receipts(control.receipts)
                return _json({})
        return Reply(404, b"{}")


def _json(value: object) -> Reply:
    return Reply(200, msgspec.json.encode(value), {"Content-Type": "application/json"})


def _line(request: Request, one: Taken, status: int, is_taken: bool, is_silent: bool = False) -> Line:
    return Line(
        time(),
        request.number,
        request.connection,
        request.method,
        request.path,
        one.reference,
        one.delivery,
        one.message_id,
        hashed(one.address),
        status,
        is_taken,
        is_silent,
    )
