"""Which URLs may be called: https at public addresses. Nobody may make this service call a network of its own.

NOTIFIER_WEBHOOK_ALLOWED_NETWORKS adds networks; there, and only there, http and ports other than 443 and 8443 will do.
The rules for URLs hold at every call, those for addresses whenever a connection is made (channels/connections.py), for exactly the
addresses that were resolved.
"""

import socket
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from re import ASCII, compile
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from apps.channels.deadlines import Deadline, resolve
from apps.channels.foreign import is_public
from apps.core.problem_codes import Code
from apps.core.problems import Problem

PORTS = frozenset({443, 8443})
PATIENCE = 3.0
_HOST = compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?", ASCII)
# what one library takes for the end of a host and another does not; and nothing of it belongs into a URL (RFC 3986 section 2)
_STRANGE = compile(r"[^!-~]|[\\<>\"^`{|}]")


def guard_of(url: str) -> Callable[[str], bool]:
    """Which addresses may be connected to for this URL. Raises ValueError with a sentence when it may not be called at all."""
    parts = _parts(url)
    is_plain = parts.scheme == "https" and (parts.port or 443) in PORTS
    if not is_plain and not settings.WEBHOOK_ALLOWED_NETWORKS:
        raise ValueError("Use https, on port 443 or 8443.")
    return lambda address: _is_allowed(address) or (is_plain and is_public(address))


def check_url(url: str) -> None:
    """Raises Problem: webhook_url_refused. Resolves the name, so no transaction should be open."""
    try:
        guard, parts = guard_of(url), _parts(url)
        addresses = _addresses(parts)
        if not addresses or not all(map(guard, addresses)):
            raise ValueError("It does not lead to a public address.")
    except ValueError as error:
        raise Problem(Code.WEBHOOK_URL_REFUSED, str(error), pointer="/url") from None


def _parts(url: str) -> SplitResult:
    if _STRANGE.search(url):
        raise ValueError("It has characters that a URL cannot have.")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("It is neither https nor http.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("It has a user or a password in it.")
    if parts.fragment:
        raise ValueError("It has a fragment, which is never sent.")
    host = (parts.hostname or "").lower()
    if not _HOST.fullmatch(host) and not _is_literal(host):
        raise ValueError("It has no host.")
    if not _has_port(parts):
        raise ValueError("Its port is none.")
    return parts


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _addresses(parts: SplitResult) -> Iterable[str]:
    try:
        found = resolve(parts.hostname or "", parts.port or 443, Deadline(PATIENCE, PATIENCE, PATIENCE))
    except socket.gaierror:
        raise ValueError("Its host name is not known.") from None
    except TimeoutError:
        raise ValueError("Nobody could say where its host is.") from None
    return [address[0] for *_, address in found]


def _is_allowed(address: str) -> bool:
    found = ip_address(address.partition("%")[0])
    return any(found in network for network in settings.WEBHOOK_ALLOWED_NETWORKS)
