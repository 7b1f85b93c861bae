"""Provider tokens for APNs: ES256 JWTs, kept per key and process. Apple takes none older than an hour and counts it as abuse to
change them more than once in 20 minutes (developer.apple.com, Establishing a token-based connection to APNs).
"""

import os
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock

import jwt

from apps.channels.base import NotSentError
from apps.core.enums import OutcomeKind
from apps.core.types import Account

LIFE = timedelta(minutes=40)
SHORTEST_LIFE = timedelta(minutes=20)
MOST_KEPT = 1_000


@dataclass(slots=True)
class _Kept:
    """`is_stale`: Apple said that it had expired. `is_second`: made because of that."""

    token: str
    made_at: datetime
    is_second: bool = False
    is_stale: bool = False


_kept: OrderedDict[str, _Kept] = OrderedDict()
_lock = Lock()


def _after_fork() -> None:
    global _lock
    _lock = Lock()


os.register_at_fork(after_in_child=_after_fork)


def token(account: Account, now: datetime) -> str:
    """For `key` (the .p8 file's text), `key_id` and `team_id` in the credentials. Raises NotSentError."""
    name = identity(account)
    with _lock:
        kept = _kept.get(name)
        if kept is None or kept.is_stale or not timedelta() <= now - kept.made_at < LIFE:
            kept = _kept[name] = _Kept(_signed(account, now), now, is_second=kept is not None and kept.is_stale)
            if len(_kept) > MOST_KEPT:
                _kept.popitem(last=False)
        return kept.token


def is_replaced(account: Account, refused: str, now: datetime) -> bool:
    """Notes that Apple calls a token expired: whether the next one may do better. Not when it is itself the replacement of one
    that was refused within the last 20 minutes: then the clocks disagree."""
    with _lock:
        kept = _kept.get(identity(account))
        if kept is None or kept.token != refused:
            return True
        if kept.is_second and now - kept.made_at < SHORTEST_LIFE:
            return False
        kept.is_stale = True
        return True


def identity(account: Account) -> str:
    """Of the signing key: connections and tokens belong to one."""
    parts = [account.credentials.get(name, "") for name in ("team_id", "key_id", "key")]
    return sha256("\0".join(parts).encode()).hexdigest()


def forget() -> None:
    with _lock:
        _kept.clear()


def _signed(account: Account, now: datetime) -> str:
    team, key_id, key = (account.credentials.get(name, "") for name in ("team_id", "key_id", "key"))
    if not (team and key_id and key):
        raise NotSentError(OutcomeKind.MISCONFIGURED, "no_key", "The account needs key, key_id and team_id.")
    claims = {"iss": team, "iat": int(now.timestamp())}
    try:
        return jwt.encode(claims, key, algorithm="ES256", headers={"kid": key_id})
    except (ValueError, TypeError, jwt.PyJWTError) as error:
        raise NotSentError(OutcomeKind.MISCONFIGURED, "bad_key", type(error).__name__) from error
