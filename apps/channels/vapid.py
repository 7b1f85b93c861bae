"""VAPID (RFC 8292): tells a push service who sends. Signed by py-vapid, once for each push service and used for hours."""

import os
from collections import OrderedDict
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock
from uuid import UUID

from py_vapid import Vapid, VapidException

from apps.channels.base import NotSentError
from apps.core.enums import OutcomeKind
from apps.core.types import Account

CREDENTIAL = "private_key"
LIFETIME = timedelta(hours=12)
USED_FOR = timedelta(hours=6)
MOST_KEPT = 1_000

_Key = tuple[UUID, bytes, str]
_signed: OrderedDict[_Key, tuple[datetime, str]] = OrderedDict()
_lock = Lock()


def _after_fork() -> None:
    global _lock
    _lock = Lock()


os.register_at_fork(after_in_child=_after_fork)


def authorization(account: Account, origin: str, now: datetime) -> str:
    """The header's value for requests to `origin` (https://host). Raises NotSentError when key or subject are of no use."""
    secret = account.credentials.get(CREDENTIAL, "")
    key = (account.id, sha256(f"{account.sender}\n{secret}".encode()).digest(), origin)
    with _lock:
        kept = _signed.get(key)
    if kept and timedelta(0) <= now - kept[0] < USED_FOR:
        return kept[1]
    value = _sign(secret, {"aud": origin, "sub": account.sender, "exp": int((now + LIFETIME).timestamp())})
    with _lock:
        _signed[key] = (now, value)
        _signed.move_to_end(key)
        if len(_signed) > MOST_KEPT:
            _signed.popitem(last=False)
    return value


def _sign(secret: str, claims: dict[str, object]) -> str:
    try:
        vapid = Vapid.from_pem(secret.strip().encode()) if "-----BEGIN" in secret else Vapid.from_string(secret.strip())
    except Exception as error:
        # whatever base64, ASN.1 and the curve object to: from_string names no errors of its own
        raise NotSentError(OutcomeKind.MISCONFIGURED, "bad_vapid_key", type(error).__name__) from None
    try:
        return str(vapid.sign(claims)["Authorization"])
    except VapidException:
        detail = "The account's sender is the VAPID subject: mailto: or https:."
        raise NotSentError(OutcomeKind.MISCONFIGURED, "bad_vapid_subject", detail) from None
