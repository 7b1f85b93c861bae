"""Guard for URLs that came from outside: a push subscription's endpoint, a webhook. Nobody may make this service call its own
network.

A name is checked before the call (`check_url`), its addresses when the connection is made: HttpRequest.is_foreign (or a guard of
the caller's own) makes connections.py connect only to public ones, among exactly those that were resolved, so that a name which
changes its mind between check and use gains nothing.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from re import ASCII, compile
from urllib.parse import urlsplit

_HOST = compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*", ASCII)
# all of IPv6 that is given out (RFC 4291 section 2.4)
_UNICAST = IPv6Network("2000::/3")
# RFC 6052: an IPv4 address in the last four bytes, reached through a translator
_NAT64 = IPv6Network("64:ff9b::/96")


def check_url(url: str, hosts: Iterable[str]) -> None:
    """Raises ValueError with a sentence unless it is https, on the standard port, at one of `hosts` (`*.example.com` is any name
    below). The sentence does not show the URL: the path of a push endpoint is a secret."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    # other libraries may read a name with a backslash in it as another one
    if parts.scheme != "https" or not _HOST.fullmatch(host) or parts.username is not None or parts.password is not None:
        raise ValueError("The address is not a plain https URL.")
    if parts.port not in (None, 443):
        raise ValueError("The address has a port of its own.")
    if not any(fnmatchcase(host, pattern) for pattern in hosts):
        raise ValueError(f"{host[:100]} is not a known host.")


def is_public(address: str) -> bool:
    """Whether the address is one of the public internet, whatever it is wrapped in."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and (inner := _embedded(found)):
        found = inner
    if isinstance(found, IPv6Address) and found not in _UNICAST:
        return False
    return found.is_global and not found.is_multicast


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(address.packed[12:])
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
