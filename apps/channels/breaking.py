"""An account's health as numbers: when its breaker opens, who may probe, how fast it may be called, how much may be tried again.

Pure: the time is an argument (seconds; whose clock does not matter). health.lua says the same for Redis, where all processes
share one record; this is used while Redis is away, and tests/integration/test_channels_health.py runs both through the same cases.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, log2
from typing import Any

import msgspec

from apps.core.enums import OutcomeKind
from apps.core.types import Outcome

SLOTS = 10
# a refused probe's process may have died: then the next one's turn comes after this
PROBE_LEASE = 15.0
PROBE_EVERY = 1.0
# a request that carries many messages counts as many calls, but no more than this
MOST_PER_REQUEST = 5
CALM_SECONDS, CODES_SECONDS = 60.0, 600.0
# the pace after trouble: it doubles every DOUBLING seconds up to half of what went before, then grows by a share of that
DOUBLING, KNEE, GROWTH, UNBOUND = 3.0, 0.5, 0.05, 4.0
LEAST_AFTER_TROUBLE = 10.0
AFTER_TROUBLE, AFTER_THROTTLING, AFTER_PAUSE, LONG_PAUSE = 0.25, 0.5, 0.1, 5.0
# messages a second where nothing is known of what a provider takes: what is begun with, what is thought possible
UNTRIED, PERHAPS = 5.0, 50.0

# what an account's settings may say: default, smallest, largest
NUMBERS: Mapping[str, tuple[float, float, float]] = {
    "breaker_share": (0.3, 0.01, 1.0),
    "breaker_window": (30.0, 5.0, 600.0),
    "breaker_calls": (20, 1, 100_000),
    "breaker_rest": (5.0, 1.0, 600.0),
    "breaker_longest_rest": (60.0, 1.0, 3_600.0),
    "breaker_probes": (3, 1, 100),
    "slow_seconds": (5.0, 0.0, 120.0),
    "retry_share": (0.1, 0.0, 10.0),
    "retry_rate": (1.0, 0.0, 10_000.0),
    "weight": (1.0, 0.0, 1_000.0),
    "burst": (0, 0, 1_000_000),
    "sender_rate": (0.0, 0.0, 1_000_000.0),
}

_ERRORS = frozenset({OutcomeKind.PROVIDER_DOWN, OutcomeKind.TRANSIENT, OutcomeKind.AMBIGUOUS})
_SILENT = frozenset({OutcomeKind.THROTTLED, OutcomeKind.MISCONFIGURED})
# ours: the provider never saw it; or it changed its connection, as HTTP/2 servers do
_OURS = frozenset({"pool_exhausted", "untranslatable", "bad_header", "bad_url", "refused_stream", "not_begun"})


def number(settings: Mapping[str, Any], name: str) -> float:
    """A setting of NUMBERS, or its default where it is absent or makes no sense."""
    default, low, high = NUMBERS[name]
    value = settings.get(name, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    return float(value) if is_number else default


@dataclass(frozen=True, slots=True)
class Rules:
    """The breaker opens when at least `least` calls of the last `window` seconds are known and `share` of them went wrong. It rests
    for `rest` seconds, twice as long each time in a row, `longest` at most. `probes` good ones in a row close it.
    Retries: `retry_share` of first tries, and `retry_rate` a second."""

    window: float
    share: float
    least: float
    rest: float
    longest: float
    probes: float
    retry_share: float
    retry_rate: float


def rules(settings: Mapping[str, Any]) -> Rules:
    return Rules(
        window=number(settings, "breaker_window"),
        share=number(settings, "breaker_share"),
        least=number(settings, "breaker_calls"),
        rest=number(settings, "breaker_rest"),
        longest=number(settings, "breaker_longest_rest"),
        probes=number(settings, "breaker_probes"),
        retry_share=number(settings, "retry_share"),
        retry_rate=number(settings, "retry_rate"),
    )


class Record(msgspec.Struct):
    """What all processes know of an account. Moments in seconds.

    `state` 0: closed, 1: open, since `since`; open until `till`, from when on it may be probed; the next probe's `turn`, the latest
    one `asked` for; `good` probes in a row; `trips` in a row. `pause`: told to wait until then (429). `cap`: messages a second at
    `cap_at` after throttling or trouble, growing towards `base` and beyond; `cut_at`: when throttling last lowered it. `doubted`:
    until then it is trusted with little. `reported`: the provider's own word on its rate. `slots`: calls, errors, messages, first
    tries, retries by tenth of the window.
    """

    state: float = 0
    since: float = 0
    till: float = 0
    turn: float = 0
    asked: float = 0
    good: float = 0
    trips: float = 0
    pause: float = 0
    cap: float = 0
    base: float = 0
    cap_at: float = 0
    cut_at: float = 0
    doubted: float = 0
    reported: float = 0
    codes_at: float = 0
    slots: dict[str, list[float]] = {}
    codes: dict[str, float] = {}

    def phase(self, now: float) -> str:
        return "closed" if not self.state else "half-open" if now >= self.till else "open"

    def rest(self, now: float) -> float:
        """Seconds until somebody may call: 0 when it is closed and not told to wait."""
        probing = max(self.till, self.turn) - now if self.state else 0.0
        return max(0.0, probing, self.pause - now)

    def ceiling(self, now: float) -> float:
        """Messages a second for now; 0: no limit of this kind."""
        if not self.cap:
            return 0.0
        seconds, knee = max(0.0, now - self.cap_at), KNEE * self.base
        doubling = DOUBLING * log2(knee / self.cap) if self.cap < knee else 0.0
        if seconds < doubling:
            return float(self.cap * 2 ** (seconds / DOUBLING))
        grown = max(self.cap, knee) + GROWTH * self.base * (seconds - doubling)
        return grown if grown < UNBOUND * self.base else 0.0

    def sum(self, which: int) -> float:
        return sum(slot[which] for slot in self.slots.values())

    @property
    def calls(self) -> float:
        return self.sum(0)

    @property
    def errors(self) -> float:
        return self.sum(1)


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of some calls. `throttled`: seconds that the provider asked to wait (0: it did not). `firsts`: messages tried for
    the first time."""

    calls: float = 0
    errors: float = 0
    messages: int = 0
    firsts: int = 0
    throttled: float = 0
    codes: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.calls + other.calls,
            self.errors + other.errors,
            self.messages + other.messages,
            self.firsts + other.firsts,
            max(self.throttled, other.throttled),
            dict(Counter(self.codes) + Counter(other.codes)),
        )


def tally(
    outcomes: Sequence[Outcome], *, firsts: int, batch: int, slow_seconds: float, alone: Collection[str] = ()
) -> Tally:
    """`batch`: messages that shared a request, in order. `alone`: codes with which a provider throttles one message only."""
    calls = errors = 0.0
    for start in range(0, len(outcomes), batch):
        request = [o for o in outcomes[start : start + batch] if o.kind not in _SILENT and o.code not in _OURS]
        if request:
            weight = min(len(request), MOST_PER_REQUEST)
            wrong = sum(_is_error(outcome) for outcome in request)
            calls += weight
            errors += weight if wrong * 2 > len(request) or _is_slow(request, slow_seconds) else 0
    throttled = [o.retry_after or 1.0 for o in outcomes if o.kind == OutcomeKind.THROTTLED and o.code not in alone]
    noted = [o for o in outcomes if (o.kind in _ERRORS or o.kind in _SILENT) and o.code not in _OURS]
    codes = dict(Counter(o.code or o.kind.value for o in noted))
    taken = len(outcomes) - len(throttled)
    return Tally(calls, errors, taken, firsts, max(throttled, default=0.0), codes)


def _is_error(outcome: Outcome) -> bool:
    """A passing fault of one message (a full mailbox, a greylist) is none of the provider's: only its 5xx is."""
    if outcome.kind == OutcomeKind.TRANSIENT:
        return int(outcome.exchange.get("status") or 500) >= 500
    return outcome.kind in _ERRORS


def _is_slow(request: Sequence[Outcome], slow_seconds: float) -> bool:
    """By the quickest of them: where messages follow one another on a connection, the last has waited for all."""
    times = [float(outcome.exchange["ms"]) for outcome in request if "ms" in outcome.exchange]
    return bool(times) and slow_seconds > 0 and min(times) > slow_seconds * 1000


def note(record: Record, rules: Rules, what: Tally, now: float, *, is_probe: bool = False) -> str:
    """`opened`, `closed`, or an empty string when the breaker stays as it is. While it is open only probes count: whatever else
    comes back was asked before."""
    _shift(record, rules, now)
    if what.codes:
        if now - record.codes_at > CODES_SECONDS:
            record.codes = {}
        record.codes_at = now
    for code, seen in what.codes.items():
        record.codes[code] = record.codes.get(code, 0) + seen
    if what.throttled > 0:
        _throttle(record, rules, what.throttled, now)
    if not record.state:
        if record.trips and now - record.since > CALM_SECONDS:
            record.trips = 0
        for which, count in enumerate((what.calls, what.errors, what.messages, what.firsts)):
            _add(record, rules, which, count, now)
        if record.errors and record.calls >= rules.least and record.errors >= rules.share * record.calls:
            _open(record, rules, now)
            return "opened"
    elif is_probe:
        record.turn = min(record.turn, record.asked + PROBE_EVERY)
        if what.errors:
            _open(record, rules, now)
        elif what.calls:
            record.good += 1
            if record.good >= rules.probes:
                _close(record, now)
                return "closed"
    return ""


def permit(record: Record, now: float, *, late: float) -> bool:
    """Whether the asker may probe an open breaker: one at a time, one a second. `late`: seconds to let others go first."""
    if not record.state or now < record.till + late or now < record.turn:
        return False
    record.turn, record.asked = now + PROBE_LEASE, now
    return True


def retry(record: Record, rules: Rules, wanted: int, now: float) -> int:
    """How many of the retries are within the budget; they are booked."""
    _shift(record, rules, now)
    left = floor(rules.retry_rate * rules.window + rules.retry_share * record.sum(3) - record.sum(4))
    granted = max(0, min(wanted, left))
    if granted:
        _add(record, rules, 4, granted, now)
    return granted


def _open(record: Record, rules: Rules, now: float) -> None:
    if not record.state:
        record.since = now
        record.base = max(1.0, _observed(record, rules, now))
    record.state = 1
    record.till = now + min(rules.longest, rules.rest * 2 ** min(record.trips, 20))
    record.turn, record.trips, record.good, record.slots = record.till, record.trips + 1, 0, {}


def _close(record: Record, now: float) -> None:
    record.state, record.since, record.good, record.slots, record.codes = 0, now, 0, {}, {}
    record.base = max(record.base, LEAST_AFTER_TROUBLE)
    record.cap, record.cap_at = max(LEAST_AFTER_TROUBLE, AFTER_TROUBLE * record.base), now


def _throttle(record: Record, rules: Rules, seconds: float, now: float) -> None:
    """Additive increase, multiplicative decrease: once for all the answers that belong together. Without a ceiling it took at least
    what was observed; with one, what went before it is given up by halves, as the ceiling may have been low for its own reasons."""
    if now >= max(record.cut_at + 1, record.pause):
        share = AFTER_PAUSE if seconds >= LONG_PAUSE else AFTER_THROTTLING
        if current := record.ceiling(now):
            record.base = max(LEAST_AFTER_TROUBLE, current, record.base / 2)
            record.cap = max(1.0, current * share)
        else:
            seen = _observed(record, rules, now)
            record.base, record.cap = max(PERHAPS, seen), max(UNTRIED, seen * share)
        record.cut_at = now
    record.pause = max(record.pause, now + seconds)
    record.cap_at = max(record.cap_at, record.pause)


def _observed(record: Record, rules: Rules, now: float) -> float:
    """Messages a second of late."""
    length = rules.window / SLOTS
    first = min((int(name) for name in record.slots), default=floor(now / length))
    return record.sum(2) / max(1.0, now - first * length)


def _shift(record: Record, rules: Rules, now: float) -> None:
    place = floor(now / (rules.window / SLOTS))
    record.slots = {name: slot for name, slot in record.slots.items() if place - SLOTS < int(name) <= place + 1}


def _add(record: Record, rules: Rules, which: int, count: float, now: float) -> None:
    slot = record.slots.setdefault(str(floor(now / (rules.window / SLOTS))), [0, 0, 0, 0, 0])
    slot[which] += count
