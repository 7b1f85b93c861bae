"""OAuth access tokens of Google service accounts, fetched by Google's own library over our transport: one request, no retry.

Kept per account, key and process until five minutes before they expire, and fetched by one thread at a time. Nothing was sent
when none can be had: `token` raises NotSentError. RFC 7523; developers.google.com/identity/protocols/oauth2/service-account.
"""

import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from hashlib import sha256
from threading import Lock
from time import monotonic
from typing import Any
from uuid import UUID

import google.auth.exceptions
import google.auth.transport
import msgspec
from google.oauth2.service_account import Credentials

from apps.channels.answers import FAULT_KINDS, kind_of_status
from apps.channels.base import NotSentError
from apps.channels.deadlines import Deadline
from apps.channels.transport import Fault, HttpRequest, HttpResponse, exchange
from apps.core import clock
from apps.core.enums import OutcomeKind
from apps.core.types import Account

CREDENTIAL = "service_account"
MARGIN_SECONDS = 300.0
FAILURE_SECONDS = 1.0
MOST_KEPT = 1_000


@dataclass(slots=True)
class _Holder:
    """`is_proven`: the token was accepted at least once. `failure`: what the last try came to; the threads that waited for it get
    the same instead of trying one after the other."""

    lock: Any = field(default_factory=Lock)
    token: str = ""
    good_until: float = 0.0
    is_proven: bool = False
    failure: NotSentError | None = None
    failed_at: float = 0.0

    @property
    def is_good(self) -> bool:
        return bool(self.token) and monotonic() < self.good_until


_holders: OrderedDict[tuple[UUID, bytes], _Holder] = OrderedDict()
_lock = Lock()


def _after_fork() -> None:
    global _lock
    _lock = Lock()
    _holders.clear()


os.register_at_fork(after_in_child=_after_fork)


def token(account: Account, scope: str, deadline: Deadline) -> str:
    """For the key in `credentials["service_account"]`. Raises NotSentError: MISCONFIGURED when the key or the token endpoint says
    no, PROVIDER_DOWN when the endpoint cannot be asked."""
    holder = _holder(account)
    if holder.is_good:
        return holder.token
    started = monotonic()
    if not holder.lock.acquire(timeout=deadline.left()):
        raise NotSentError(OutcomeKind.PROVIDER_DOWN, "token_not_in_time")
    try:
        if holder.is_good:
            return holder.token
        if holder.failure and (holder.failed_at >= started or monotonic() - holder.failed_at < FAILURE_SECONDS):
            raise holder.failure
        _refresh(holder, account, scope, deadline)
        return holder.token
    except NotSentError as error:
        if error is not holder.failure:
            holder.failure, holder.failed_at = error, monotonic()
        raise
    finally:
        holder.lock.release()


def note_accepted(account: Account, used: str) -> None:
    holder = _holder(account)
    if holder.token == used:
        holder.is_proven = True


def is_fresh_refused(account: Account, used: str) -> bool:
    """To be asked for every refusal of a token, which is then used no more. False when it worked before, or when another thread
    has a newer one by now: then the next call may well succeed."""
    holder = _holder(account)
    if holder.token != used:
        return False
    holder.token = ""
    return not holder.is_proven


def forget_tokens() -> None:
    """All of this process."""
    with _lock:
        _holders.clear()


def _holder(account: Account) -> _Holder:
    key = (account.id, sha256(account.credentials.get(CREDENTIAL, "").encode()).digest())
    with _lock:
        holder = _holders.get(key)
        if holder is None:
            holder = _holders[key] = _Holder()
            if len(_holders) > MOST_KEPT:
                _holders.popitem(last=False)
        _holders.move_to_end(key)
        return holder


def _refresh(holder: _Holder, account: Account, scope: str, deadline: Deadline) -> None:
    try:
        info = msgspec.json.decode(account.credentials.get(CREDENTIAL, ""), type=dict[str, Any])
        made = Credentials.from_service_account_info(info, scopes=[scope])  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, AttributeError) as error:
        raise NotSentError(OutcomeKind.MISCONFIGURED, "bad_service_account", type(error).__name__) from None
    try:
        made.refresh(_Transport(account, deadline))
    except (google.auth.exceptions.GoogleAuthError, ValueError, TypeError, AttributeError) as error:
        raise NotSentError(OutcomeKind.PROVIDER_DOWN, "token_unreadable", type(error).__name__) from None
    if not isinstance(made.token, str) or made.expiry is None:
        raise NotSentError(OutcomeKind.PROVIDER_DOWN, "token_unreadable")
    left = (made.expiry.replace(tzinfo=UTC) - clock.now()).total_seconds()
    holder.good_until = monotonic() + max(left - MARGIN_SECONDS, min(left, 1.0))
    holder.is_proven, holder.failure = False, None
    holder.token = made.token


class _Answer(google.auth.transport.Response):
    def __init__(self, answer: HttpResponse) -> None:
        self._answer = answer

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    @property
    def data(self) -> bytes:
        return self._answer.body


class _Transport(google.auth.transport.Request):
    """Answers with a 200 or raises: the library sleeps and tries again when it sees certain errors."""

    def __init__(self, account: Account, deadline: Deadline) -> None:
        self._account = account
        self._deadline = deadline

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> _Answer:
        answer = exchange(self._account, HttpRequest(url, body or b"", headers or {}, method), self._deadline)
        if isinstance(answer, Fault):
            raise NotSentError(_unsent(FAULT_KINDS[answer.code]), f"token_{answer.code}", answer.detail)
        if answer.status != 200:
            raise NotSentError(_unsent(kind_of_status(answer.status)), _error(answer))
        return _Answer(answer)


def _unsent(kind: OutcomeKind) -> OutcomeKind:
    """No token, so nothing was sent: it is the key, or the endpoint is not itself."""
    is_refused = kind in {OutcomeKind.MISCONFIGURED, OutcomeKind.REJECTED}
    return OutcomeKind.MISCONFIGURED if is_refused else OutcomeKind.PROVIDER_DOWN


def _error(answer: HttpResponse) -> str:
    """RFC 6749 section 5.2: `invalid_grant` and the like."""
    try:
        said = msgspec.json.decode(answer.body, type=dict[str, Any]).get("error")
    except msgspec.MsgspecError:
        said = None
    return f"token_{said}" if isinstance(said, str) else f"token_{answer.status}"
