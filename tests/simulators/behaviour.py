"""What a simulator is told to do, and to which requests."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from math import floor
from threading import Lock
from time import monotonic
from typing import Literal

import msgspec


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`share` of the requests (0.4: two of five, evenly spread), for `seconds` from now, for `requests` of them; None: for good.

    delay        seconds until the answer
    status       answer this instead; the provider's own body for it. Nothing is taken
    retry_after  the header: "7", or "+90" for the date in 90 seconds; any text else as it is
    drop         "connect": closed when it is opened; "before": read, not acted on, closed; "after": acted on, closed unanswered
    garbage      200 with a body that is none of the provider's; acted on
    drip         seconds between the bytes of the answer
    rate         requests a second that are taken; the others get the provider's own 429
    ban          taken and answered as ever, but lost: no receipt ever comes. `share` is of the messages
    to           with `ban`: only messages to addresses that begin with this
    goaway       HTTP/2: after so many requests a connection is told to go away; what comes later on it is not acted on
    reset        HTTP/2: the stream is reset with this code; 7 (REFUSED_STREAM): not acted on, else it was
    """

    share: float = 1.0
    seconds: float | None = None
    requests: int | None = None
    delay: float = 0.0
    status: int = 0
    retry_after: str = ""
    drop: Literal["", "connect", "before", "after"] = ""
    garbage: bool = False
    drip: float = 0.0
    rate: float = 0.0
    ban: bool = False
    to: str = ""
    goaway: int = 0
    reset: int = 0


class Receipts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`after`: seconds from acceptance to the first receipt and on to the next, None: none; `kinds`: EventKind values, in order;
    `duplicates`: how often each comes again; `shuffle`: in any order; `forge`: for this share a forged call comes besides."""

    after: float | None = 0.2
    kinds: tuple[str, ...] = ("delivered",)
    duplicates: int = 0
    shuffle: bool = False
    forge: float = 0.0


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What PUT /_control takes. None leaves it as it is."""

    behaviours: tuple[Behaviour, ...] | None = None
    receipts: Receipts | None = None


@dataclass
class Share:
    """Says yes to a share of what it is asked, evenly spread: the same order of answers in every run."""

    share: float
    asked: int = 0

    def yes(self) -> bool:
        self.asked += 1
        return floor(self.asked * self.share + 1e-9) > floor((self.asked - 1) * self.share + 1e-9)


@dataclass
class _Running:
    behaviour: Behaviour
    share: Share
    ends_at: float
    left: float
    tokens: float
    refilled_at: float = field(default_factory=monotonic)

    def has_token(self) -> bool:
        """A bucket that holds one second's worth."""
        now = monotonic()
        rate = self.behaviour.rate
        self.tokens = min(max(rate, 1.0), self.tokens + (now - self.refilled_at) * rate)
        self.refilled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Conduct:
    """The behaviours in force. Safe to change from another thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: list[_Running] = []

    def set(self, *behaviours: Behaviour) -> None:
        with self._lock:
            self._running = [_started(one) for one in behaviours]

    def add(self, behaviour: Behaviour) -> None:
        with self._lock:
            self._running.append(_started(behaviour))

    def closes_at_once(self) -> bool:
        """Whether the connection that was just opened is closed."""
        with self._lock:
            return any(self._applies(one) for one in self._running if one.behaviour.drop == "connect")

    def for_request(self) -> list[Behaviour]:
        """Those that apply to the next request; one with a rate only when it is exceeded."""
        with self._lock:
            return [
                one.behaviour
                for one in self._running
                if not one.behaviour.ban and one.behaviour.drop != "connect" and self._applies(one)
            ]

    def goaway_after(self) -> int:
        """Requests after which an HTTP/2 connection is told to go away; 0: never."""
        with self._lock:
            return max((one.behaviour.goaway for one in self._running if monotonic() <= one.ends_at), default=0)

    def is_lost(self, address: str) -> bool:
        """Whether the next message taken is lost in silence."""
        with self._lock:
            bans = [one for one in self._running if one.behaviour.ban and address.startswith(one.behaviour.to)]
            return bool([one for one in bans if self._applies(one)])

    def _applies(self, one: _Running) -> bool:
        if monotonic() > one.ends_at or one.left <= 0 or not one.share.yes():
            return False
        if one.behaviour.rate and one.has_token():
            return False
        one.left -= 1
        return True


def retry_after_header(text: str) -> dict[str, str]:
    if text.startswith("+"):
        moment = datetime.now(UTC) + timedelta(seconds=float(text))
        return {"Retry-After": format_datetime(moment, usegmt=True)}
    return {"Retry-After": text} if text else {}


def _started(one: Behaviour) -> _Running:
    ends_at = float("inf") if one.seconds is None else monotonic() + one.seconds
    left = float("inf") if one.requests is None else one.requests
    return _Running(one, Share(one.share), ends_at, left, max(one.rate, 1.0))
