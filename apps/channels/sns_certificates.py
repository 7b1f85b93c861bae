"""Where SNS lives, and the certificates it signs with. Nobody else's address is ever asked.

Account setting `sns_url`: the only origin believed then, a stand-in for SNS, or its usual address where that leads into a network
of ours (a VPC endpoint).
"""

import os
import re
from threading import Lock
from time import monotonic
from urllib.parse import urlsplit

from cryptography import x509

from apps.channels.base import UnverifiableError
from apps.channels.deadlines import Deadline
from apps.channels.transport import Fault, HttpRequest, HttpResponse, exchange
from apps.core.types import Account

TO_FETCH = 3.0
MOST_BYTES = 64 * 1024
MOST_KEPT = 32
FETCHES_A_MINUTE = 10
# Amazon's own validators take any label of three letters for the region, and so a bucket: sns.s3-eu-west-1.amazonaws.com
_ORIGIN = re.compile(r"https://sns\.[a-z]{2,3}(-[a-z]+){1,3}-\d{1,2}\.amazonaws\.com(\.cn)?(:443)?")
_PATH = re.compile(r"/[A-Za-z0-9._-]{1,200}\.pem")

_certificates: dict[str, x509.Certificate] = {}
_fetches: list[float] = []
_lock = Lock()


def forget_cached() -> None:
    """For tests, and in a fresh process."""
    global _lock
    _lock = Lock()
    _certificates.clear()
    _fetches.clear()


os.register_at_fork(after_in_child=forget_cached)


def origin_of(account: Account, url: str) -> str:
    """Scheme and host of a URL in a call. Raises ValueError for any but SNS's."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    own = account.settings.get("sns_url")
    if not (origin == own if own else _ORIGIN.fullmatch(origin)):
        raise ValueError("no host of SNS")
    return origin


def source_of(account: Account, url: str) -> str:
    """The URL of a certificate, put together anew from its parts. Raises ValueError for any but SNS's."""
    origin, parts = origin_of(account, url), urlsplit(url)
    if not _PATH.fullmatch(parts.path) or parts.query or parts.fragment:
        raise ValueError("no certificate of SNS")
    return f"{origin}{parts.path}"


def certificate(account: Account, source: str) -> x509.Certificate | None:
    """Fetched once and kept; None when there is none at this address. Raises UnverifiableError."""
    if source in _certificates:
        return _certificates[source]
    with _lock:
        found = _certificates.get(source) or _fetched(account, source)
        if found is not None:
            _certificates[source] = found
        if len(_certificates) > MOST_KEPT:
            del _certificates[next(iter(_certificates))]
    return found


def get(account: Account, url: str, deadline: Deadline) -> HttpResponse | Fault:
    """One request to SNS."""
    request = HttpRequest(url, b"", method="GET", is_foreign=not account.settings.get("sns_url"))
    return exchange(account, request, deadline)


def _fetched(account: Account, source: str) -> x509.Certificate | None:
    """So often at most that nobody can make us ask on and on."""
    now = monotonic()
    _fetches[:] = [at for at in _fetches if at > now - 60]
    if len(_fetches) >= FETCHES_A_MINUTE:
        raise UnverifiableError("too many certificates were asked for")
    _fetches.append(now)
    answer = get(account, source, Deadline(TO_FETCH, TO_FETCH, TO_FETCH))
    if isinstance(answer, Fault) or answer.status >= 500:
        raise UnverifiableError("the certificate cannot be fetched")
    if answer.status != 200 or len(answer.body) > MOST_BYTES:
        return None
    try:
        return x509.load_pem_x509_certificate(answer.body)
    except ValueError:
        return None
