"""Addresses: checked, brought into one form, masked. Each function raises Problem with the pointer it was given."""

import re
from base64 import urlsafe_b64decode
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import phonenumbers
from email_validator import EmailNotValidError, validate_email

from apps.core import crypto
from apps.core.enums import Channel, EndpointKind, Platform
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Address, Endpoint

CHANNEL_OF = {
    EndpointKind.EMAIL: Channel.EMAIL,
    EndpointKind.PHONE: Channel.SMS,
    EndpointKind.DEVICE: Channel.PUSH,
    EndpointKind.WEB_PUSH: Channel.PUSH,
    EndpointKind.INBOX: Channel.IN_APP,
}
MAX_TOKEN = 4096
_PHONE = re.compile(r"\+[0-9 ()./-]{4,30}", re.ASCII)


def email_address(text: str, pointer: str) -> Address:
    """No DNS is asked. Non-ASCII domains are stored as punycode; non-ASCII local parts are refused: few providers take them."""
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise Problem(Code.INVALID_EMAIL, str(error), pointer=pointer) from None
    text = found.ascii_email or found.normalized
    masked = f"{text[0]}***@{found.domain}"
    return Address(EndpointKind.EMAIL, Channel.EMAIL, text, text.lower(), _shortened(masked))


def phone_number(text: str, pointer: str) -> Address:
    """Any number of a possible length for its country; whether it is assigned, only the carrier knows. E.164."""
    try:
        number = phonenumbers.parse(text, None) if _PHONE.fullmatch(text) else None
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise Problem(Code.INVALID_PHONE, pointer=pointer)
    text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Address(EndpointKind.PHONE, Channel.SMS, text, text, f"+{number.country_code}*****{text[-2:]}")


def device_token(text: str, platform: Platform, pointer: str) -> Address:
    if not 1 <= len(text) <= MAX_TOKEN or not text.isprintable() or " " in text:
        detail = f"A device token has 1 to {MAX_TOKEN} printable characters and no spaces."
        raise Problem(Code.INVALID_ENDPOINT, detail, pointer=pointer)
    return Address(EndpointKind.DEVICE, Channel.PUSH, text, text, f"token ...{_tail(text)}", platform)


def web_push_subscription(endpoint: str, p256dh: str, auth: str, pointer: str) -> Address:
    """RFC 8030 and RFC 8291: an https URL, a P-256 point of 65 bytes, a secret of 16. Stored as the JSON a browser gives."""
    _check_push_url(endpoint, f"{pointer}/endpoint")
    _check_key(p256dh, 65, f"{pointer}/keys/p256dh")
    _check_key(auth, 16, f"{pointer}/keys/auth")
    text = msgspec.json.encode({"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}}).decode()
    masked = _shortened(f"web push ...{_tail(endpoint)}")
    return Address(EndpointKind.WEB_PUSH, Channel.PUSH, text, endpoint, masked, Platform.WEB)


def place_of(endpoint: Endpoint) -> str:
    """Where it is, as carriers see it: a mail's domain, a number's country code (`+49`), a device's platform."""
    match endpoint.kind:
        case EndpointKind.EMAIL:
            return endpoint.address.rpartition("@")[2].lower()[:100]
        case EndpointKind.PHONE:
            return endpoint.masked.partition("*")[0]
        case _:
            return endpoint.platform


def address_hash(tenant_id: UUID, channel: Channel, hashed: str) -> bytes:
    """What finds an address without knowing it: 32 bytes, different for every tenant and channel."""
    return crypto.keyed_hash(_scope(tenant_id, channel), hashed)


def address_hashes(tenant_id: UUID, channel: Channel, hashed: str) -> list[bytes]:
    """Under every hash key, the current one first."""
    return crypto.keyed_hashes(_scope(tenant_id, channel), hashed)


def hashed_form(kind: EndpointKind, text: str) -> str:
    """The form of a stored address that is compared."""
    match kind:
        case EndpointKind.EMAIL:
            return text.lower()
        case EndpointKind.WEB_PUSH:
            subscription: dict[str, Any] = msgspec.json.decode(text)
            return str(subscription["endpoint"])
        case _:
            return text


def _scope(tenant_id: UUID, channel: Channel) -> bytes:
    return tenant_id.bytes + channel.encode()


def _check_push_url(url: str, pointer: str) -> None:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme == "https" and parts.hostname and not parts.username and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or len(url) > 2048 or not url.isascii() or not url.isprintable() or " " in url:
        raise Problem(Code.INVALID_SUBSCRIPTION, "`endpoint` is an https URL.", pointer=pointer)


def _check_key(encoded: str, size: int, pointer: str) -> None:
    """base64url, with or without padding (browsers leave it out)."""
    try:
        raw = urlsafe_b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4))
    except ValueError:
        raw = b""
    if len(raw) != size or not re.fullmatch(r"[A-Za-z0-9_-]+=*", encoded, re.ASCII):
        raise Problem(Code.INVALID_SUBSCRIPTION, f"The key is {size} bytes in base64url.", pointer=pointer)


def _tail(text: str) -> str:
    """The last four characters, when that gives little of it away."""
    return text[-4:] if len(text) >= 16 else ""


def _shortened(masked: str) -> str:
    return masked if len(masked) <= 100 else masked[:97] + "..."
