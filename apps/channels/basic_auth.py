"""Basic authentication (RFC 7617) of providers' calls: `user:password` among an account's webhook secrets, several for rotation.

Providers send it when the URL they were given begins with https://user:password@. No signing key has a colon.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping


def logins(secrets: Iterable[str]) -> list[str]:
    """Those that are `user:password`, neither of them empty."""
    return [secret for secret in secrets if all(secret.partition(":")[::2])]


def signing_keys(secrets: Iterable[str]) -> list[str]:
    """The others."""
    return [secret for secret in secrets if secret and ":" not in secret]


def is_logged_in(accepted: Iterable[str], headers: Mapping[str, str]) -> bool:
    """Whether the call carries any of these logins; without any, nobody is. In constant time. `headers` by lower-case name."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    said = given.strip().encode()
    return any(hmac.compare_digest(b64encode(login.encode()), said) for login in accepted)
