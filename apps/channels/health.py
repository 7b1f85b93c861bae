"""What all processes know of the health of provider accounts: kept in Redis, one step for each question (health.lua).

Good news is collected for NOTE_SECONDS and told together; bad news is told at once. A record is read again after READ_SECONDS,
before a call to a provider after FRESH_SECONDS.
Redis emptied: every breaker is closed and learns anew. Redis away: each process judges by what it sees itself (breaking.py).
The built-in sandbox accounts are always healthy: what is sent there behaves as the address says.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any
from uuid import uuid4

import msgspec

from apps.channels import breaking
from apps.channels.breaking import Record, Tally
from apps.channels.selectors import SANDBOX_PREFIX
from apps.core import clock, redis
from apps.core.types import Account

log = logging.getLogger(__name__)
READ_SECONDS = 0.5
NOTE_SECONDS = 0.25
# before each call to a provider what others were told must not be older
FRESH_SECONDS = 0.02
REST_SECONDS = 1.0
# one for each lane, until Redis has told how many there are
PROCESSES = 4
MOST_KEPT = 10_000
_HEALTHY = Record()
_PROCESSES_KEY = "health-processes"


@dataclass(slots=True)
class _Here:
    """What this process remembers. `ahead`: Redis' clock minus our monotonic one; `own`: records for while Redis is away."""

    process: str = field(default_factory=lambda: uuid4().hex)
    ahead: float = field(default_factory=lambda: clock.now().timestamp() - monotonic())
    processes: int = PROCESSES
    rest_until: float = 0.0
    seen: dict[str, tuple[float, Record]] = field(default_factory=dict)
    own: dict[str, Record] = field(default_factory=dict)
    pending: dict[str, tuple[float, Tally]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


_here = _Here()


def forget_cached() -> None:
    """For a forked process, and for tests."""
    global _here
    _here = _Here()


os.register_at_fork(after_in_child=forget_cached)


def is_watched(account: Account) -> bool:
    return not account.key.startswith(SANDBOX_PREFIX)


def now() -> float:
    """Seconds on the clock of the records."""
    return monotonic() + _here.ahead


def processes() -> int:
    """How many processes noted results within a minute, at the last count."""
    return _here.processes


def is_shared() -> bool:
    """Whether Redis was there when it was last asked."""
    return monotonic() >= _here.rest_until


def records(keys: Sequence[str]) -> Mapping[str, Record]:
    """By account key; at most one trip to Redis, none for what was read READ_SECONDS ago."""
    moment = monotonic()
    known = {key: kept[1] for key in keys if (kept := _here.seen.get(key)) and kept[0] > moment}
    unread = [key for key in dict.fromkeys(keys) if key not in known and not key.startswith(SANDBOX_PREFIX)]
    if unread:
        known |= _read(unread)
    return {key: known.get(key, _HEALTHY) for key in keys}


def record(account: Account) -> Record:
    return records([account.key])[account.key]


def may_call(account: Account) -> bool:
    """Whether its breaker is closed and it has not told anybody to wait, as of FRESH_SECONDS ago."""
    known = _fresh(account)
    return not known.state and known.rest(now()) <= 0


def asked_wait(account: Account) -> float:
    """Seconds for which it has told anybody to wait, as of FRESH_SECONDS ago; 0: it has not."""
    return max(0.0, _fresh(account).pause - now())


def _fresh(account: Account) -> Record:
    if not is_watched(account):
        return _HEALTHY
    until, known = _here.seen.get(account.key, (0.0, _HEALTHY))
    if until < monotonic() + READ_SECONDS - FRESH_SECONDS:
        known = _read([account.key])[account.key]
    return known


def told_to_wait(account: Account, seconds: float) -> None:
    """All processes hear of it before the call that was told is over."""
    note(account, Tally(throttled=seconds))


def note(account: Account, what: Tally, *, is_probe: bool = False) -> str:
    """Results of calls. `opened` or `closed` for the one caller whose news changed the breaker, else an empty string."""
    if not is_watched(account):
        return ""
    moment = monotonic()
    with _here.lock:
        since, waiting = _here.pending.get(account.key, (moment, Tally()))
        together = waiting + what
        is_urgent = is_probe or together.errors > 0 or together.throttled > 0
        if not is_urgent and moment - since < NOTE_SECONDS and account.key in _here.pending:
            _here.pending[account.key] = (since, together)
            return ""
        _here.pending[account.key] = (moment, Tally())
    rules = breaking.rules(account.settings)
    arguments = {
        "calls": together.calls,
        "errors": together.errors,
        "messages": together.messages,
        "firsts": together.firsts,
        "throttled": together.throttled,
        "codes": dict(together.codes),
        "probe": is_probe,
        "process": _here.process,
    }
    _, changed = _ask(
        account.key,
        "note",
        arguments | asdict(rules),
        lambda mine: (0, breaking.note(mine, rules, together, now(), is_probe=is_probe)),
    )
    return changed


def permit(account: Account, *, late: float) -> bool:
    """Whether this process may probe the open breaker now, with one message. `late`: seconds to let others go first."""
    granted, _ = _ask(
        account.key, "permit", {"late": late}, lambda mine: (int(breaking.permit(mine, now(), late=late)), "")
    )
    return bool(granted)


def retries(account: Account, wanted: int) -> int:
    """How many of so many retries are within the account's budget; they are booked."""
    rules = breaking.rules(account.settings)
    granted, _ = _ask(
        account.key,
        "retry",
        {"wanted": wanted} | asdict(rules),
        lambda mine: (breaking.retry(mine, rules, wanted, now()), ""),
    )
    return granted


def distrust(key: str, share: float, until: datetime) -> None:
    """The account loses this share of its messages; it gets little until then: every tenth delivery, enough to see it recover."""
    log.warning("account distrusted", extra={"account": key, "share": round(share, 3)})
    _set(key, doubted=until.timestamp())


def trust(key: str) -> None:
    _set(key, doubted=0.0)


def set_reported_rate(key: str, rate: float) -> None:
    """What the provider itself says it takes a second (0: it does not say)."""
    _set(key, reported=rate)


def reset(key: str) -> None:
    """Forgets everything of an account: its breaker is closed, nothing slows it. Raises RedisError."""
    _here.own.pop(key, None)
    _here.seen.pop(key, None)
    redis.quick().delete(_key(key))


def _set(key: str, **fields: float) -> None:
    def here(mine: Record) -> tuple[int, str]:
        for name, value in fields.items():
            setattr(mine, name, value)
        return 0, ""

    _ask(key, "set", {"fields": fields}, here)


def _ask(
    key: str, verb: str, arguments: Mapping[str, Any], here: Callable[[Record], tuple[int, str]]
) -> tuple[int, str]:
    """What was granted, what changed. `here` answers from a record of this process while Redis is away."""
    if is_shared():
        try:
            reply = _script()(keys=[_key(key), _PROCESSES_KEY], args=[verb, msgspec.json.encode(arguments)])
        except redis.RedisError as error:
            _away(error)
        else:
            granted, changed, kept, at, count = reply
            _here.ahead = float(at) - monotonic()
            _here.processes = max(1, int(count))
            _here.own.pop(key, None)
            _remember(key, _decoded(kept))
            return int(granted), changed.decode()
    with _here.lock:
        mine = _own(key)
        answer = here(mine)
        _remember(key, mine)
        return answer


def _read(keys: Sequence[str]) -> dict[str, Record]:
    if is_shared():
        try:
            with redis.quick().pipeline(transaction=False) as pipe:
                pipe.time()
                pipe.mget([_key(key) for key in keys])
                (seconds, micros), found = pipe.execute()
        except redis.RedisError as error:
            _away(error)
        else:
            _here.ahead = seconds + micros / 1e6 - monotonic()
            return {key: _remember(key, _decoded(text)) for key, text in zip(keys, found, strict=True)}
    with _here.lock:
        return {key: _remember(key, _own(key)) for key in keys}


def _own(key: str) -> Record:
    """It begins with what was last known of the shared one."""
    if key not in _here.own:
        kept = _here.seen.get(key)
        _here.own[key] = _decoded(msgspec.json.encode(kept[1])) if kept else Record()
    return _here.own[key]


def _remember(key: str, found: Record) -> Record:
    if len(_here.seen) > MOST_KEPT:
        _here.seen.clear()
    _here.seen[key] = (monotonic() + READ_SECONDS, found)
    return found


def _decoded(text: bytes | None) -> Record:
    return msgspec.json.decode(text, type=Record) if text else Record()


def _away(error: Exception) -> None:
    _here.rest_until = monotonic() + REST_SECONDS
    log.warning("redis is away: health of accounts is judged per process", extra={"error": type(error).__name__})


def _key(key: str) -> str:
    return f"health:{key}"


@cache
def _script() -> Any:
    return redis.quick().register_script(Path(__file__).with_name("health.lua").read_text())
