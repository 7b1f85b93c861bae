"""One request on the wire, one answer or one fault. No retries, no redirects, no proxies from the environment, no exceptions.

Connections are kept per account and process, at most `pool_size` at once. A kept connection is used again only within
`keepalive_seconds` (account setting, 4 by default; 0: never): the shorter it is than the provider's own idle time-out, the
rarer the case in which the provider closes it while we write. When that happens all the same, it cannot be told from an
answer that got lost, and is AMBIGUOUS.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock
from typing import Any
from uuid import UUID

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidHeader
from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

from apps.channels.connections import POOL_CLASSES, Step, Wire, current
from apps.channels.deadlines import Deadline
from apps.channels.foreign import is_public
from apps.core.types import Account

ANSWER_LIMIT = 1024 * 1024
PIECE = 64 * 1024
KEEPALIVE_SECONDS = 4.0
POOLS = 128
HOSTS = 16
_HEADERS = {"User-Agent": "notifier", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`is_foreign`: the URL came from outside, and must not lead into our own network (foreign.py); `guard` says instead which
    addresses may be connected to. `enough`: so many bytes of the answer are read, and the rest, or that there is none, does not matter."""

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"
    is_foreign: bool = False
    guard: Callable[[str], bool] | None = None
    enough: int | None = None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`headers` by lower-case name. `body` of an answer outside 2xx may be cut short at 1 MB."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Fault:
    """No usable answer. `code` is a key of answers.FAULT_KINDS."""

    code: str
    detail: str = ""


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOL_CLASSES


class _Lines:
    """An account's connections in this process: `gate` bounds how many are in use at once."""

    def __init__(self, size: int) -> None:
        self.gate = BoundedSemaphore(size)
        self.adapter = _Adapter(pool_connections=HOSTS, pool_maxsize=size, max_retries=0)


_lines: OrderedDict[tuple[UUID, int], _Lines] = OrderedDict()
_lock = Lock()
_holding: ContextVar["_Lines | None"] = ContextVar("holding", default=None)
os.register_at_fork(after_in_child=_lines.clear)


def exchange(account: Account, request: HttpRequest, deadline: Deadline) -> HttpResponse | Fault:
    """Sends the request once and reads the answer, all within the deadline."""
    keepalive = float(account.settings.get("keepalive_seconds", KEEPALIVE_SECONDS))
    wire = Wire(deadline, keepalive, request.guard or (is_public if request.is_foreign else None))
    try:
        prepared = requests.Request(
            request.method, request.url, {**_HEADERS, **request.headers}, data=request.body
        ).prepare()
    except InvalidHeader as error:
        return Fault("bad_header", str(error))
    except (requests.RequestException, ValueError) as error:
        return Fault("bad_url", type(error).__name__)
    with line(account, deadline) as lines:
        if lines is None:
            return Fault("pool_exhausted", f"All {account.pool_size} connections were in use.")
        token = current.set(wire)
        try:
            answer = lines.adapter.send(
                prepared,
                stream=True,
                timeout=(deadline.connect, deadline.read),
                verify=account.ca_bundle or True,
                proxies={},
            )
            return _read(answer, wire, request.enough)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return Fault(_code(wire, error), type(error).__name__)
        finally:
            current.reset(token)


@contextmanager
def line(account: Account, deadline: Deadline) -> Iterator["_Lines | None"]:
    """One of the account's connections while the block lasts, waited for; None: none became free in time. Who holds one has it already."""
    lines = _lines_of(account)
    if _holding.get() is lines:
        yield lines
    elif lines.gate.acquire(timeout=deadline.left()):
        token = _holding.set(lines)
        try:
            yield lines
        finally:
            _holding.reset(token)
            lines.gate.release()
    else:
        yield None


def close_connections() -> None:
    """Closes every idle connection of this process; the next call opens new ones."""
    with _lock:
        for lines in _lines.values():
            lines.adapter.close()
        _lines.clear()


def _lines_of(account: Account) -> _Lines:
    key = (account.id, account.pool_size)
    with _lock:
        lines = _lines.get(key)
        if lines is None:
            lines = _lines[key] = _Lines(account.pool_size)
            if len(_lines) > POOLS:
                _lines.popitem(last=False)[1].adapter.close()
        _lines.move_to_end(key)
        return lines


def _read(answer: requests.Response, wire: Wire, enough: int | None) -> HttpResponse | Fault:
    """The body, up to the limit. Outside 2xx the status says enough, whatever becomes of the body."""
    status = answer.status_code
    must_be_whole = 200 <= status < 300 and enough is None
    limit = ANSWER_LIMIT if enough is None else enough
    pieces: list[bytes] = []
    size = 0
    fault: Fault | None = None
    try:
        while size <= limit and (piece := answer.raw.read(min(PIECE, limit + 1), decode_content=False)):
            pieces.append(piece)
            size += len(piece)
    except (HTTPError, OSError, ValueError) as error:
        fault = Fault(_code(wire, error), type(error).__name__)
    finally:
        if fault or size > limit:
            answer.close()
    if must_be_whole and fault:
        return fault
    if must_be_whole and size > limit:
        return Fault("answer_too_large", f"More than {limit} bytes.")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return HttpResponse(status, headers, b"".join(pieces)[:limit])


_CODES = {
    Step.RESOLVE: "dns",
    Step.FORBIDDEN: "forbidden_address",
    Step.TLS: "tls",
    Step.WRITE: "write_failed",
    Step.ANSWER: "connection_dropped",
}


def _code(wire: Wire, error: Exception) -> str:
    """How far the request got, and why it went no further."""
    is_timeout = "Timeout" in type(error).__name__ or "timed out" in str(error)
    match wire.step:
        case Step.QUEUE:
            return "bad_url"
        case Step.CONNECT:
            return "connect_timeout" if is_timeout else "connect_refused"
        case Step.ANSWER if wire.deadline.is_over():
            return "deadline"
        case Step.ANSWER if is_timeout:
            return "read_timeout"
        case step:
            return _CODES[step]
