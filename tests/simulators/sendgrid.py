"""SendGrid's Web API v3 and its signed event webhook (Twilio SendGrid API reference: Mail Send, Event Webhook)."""

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from time import time
from typing import Any, ClassVar

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from apps.core.types import ProviderCall
from tests.simulators.base import Event, Reply, Request, Simulator, Taken
from tests.simulators.behaviour import retry_after_header

API_KEY = "SG.acme.simulated"
DOMAIN = "acme.test"
MOST_RECIPIENTS, MOST_ARGS, MOST_BYTES, MOST_CATEGORIES = 1000, 10_000, 30_000_000, 10
RESERVED = frozenset(
    {"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"}
    | {"to", "from", "subject", "reply-to", "cc", "bcc"}
)
SAID: dict[int, str] = {
    401: "The provided authorization grant is invalid, expired, or revoked",
    403: "access forbidden",
    413: "Request Entity Too Large",
    429: "too many requests",
}
EVENTS: dict[str, dict[str, Any]] = {
    "sent": {"event": "processed"},
    "deferred": {"event": "deferred", "response": "451 4.3.0 try again later", "attempt": "1"},
    "delivered": {"event": "delivered", "response": "250 2.0.0 OK"},
    "bounced": {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such user"},
    "soft_bounced": {"event": "bounce", "type": "blocked", "status": "5.7.1", "reason": "550 5.7.1 blocked"},
    "failed": {"event": "dropped", "reason": "Invalid SMTPAPI header"},
    "opened": {"event": "open", "useragent": "Mozilla/5.0", "sg_machine_open": False},
    "clicked": {"event": "click", "url": "https://acme.test/"},
    "complained": {"event": "spamreport"},
    "opted_out": {"event": "unsubscribe"},
}
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def verification_key(number: int = 1) -> ec.EllipticCurvePrivateKey:
    """Always the same for a number, so that every process has it."""
    return ec.derive_private_key(int.from_bytes(sha256(b"sendgrid %d" % number).digest(), "big") >> 1, ec.SECP256R1())


def shown(key: ec.EllipticCurvePrivateKey) -> str:
    """As the console shows it."""
    public = key.public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b64encode(der).decode()


def signed(key: ec.EllipticCurvePrivateKey, url: str, body: bytes, at: int) -> ProviderCall:
    signature = key.sign(str(at).encode() + body, ec.ECDSA(SHA256()))
    headers = {
        "content-type": "application/json;charset=utf-8",
        "user-agent": "SendGrid Event API",
        "x-twilio-email-event-webhook-signature": b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": str(at),
    }
    return ProviderCall(url, headers, body)


class Refused(Exception):
    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.field = status, field


class SendgridSimulator(Simulator):
    name = "sendgrid"
    channel = "email"
    credentials: ClassVar[dict[str, str]] = {"api_key": API_KEY}
    webhook_secrets = (shown(verification_key()),)
    sender = f"Acme <hello@{DOMAIN}>"
    receipts_per_call = 100

    def __init__(self, scopes: str = "mail.send") -> None:
        super().__init__()
        self.scopes = scopes.split(",")

    def reply(self, request: Request) -> Reply:
        try:
            self._check_caller(request)
            match request.method, request.path:
                case "GET", "/v3/scopes":
                    return _json(200, {"scopes": self.scopes})
                case "POST", "/v3/mail/send":
                    return self._take_mail(request)
                case _, "/v3/scopes" | "/v3/mail/send":
                    raise Refused(405, "method not allowed")
        except Refused as refused:
            return _refusal(refused)
        return _refusal(Refused(404, "not found"))

    def is_message(self, request: Request) -> bool:
        return request.method == "POST"

    def fault(self, request: Request, status: int, retry_after: str) -> Reply:
        """Without Retry-After: with 429 it says when the limit is lifted."""
        said = _refusal(Refused(status, SAID.get(status, "Internal Server Error")))
        reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time()) + 7)} if status == 429 else {}
        return Reply(status, said.body, reset | retry_after_header(retry_after))

    def receipts_call(self, events: Sequence[Event]) -> ProviderCall | None:
        said = [found for event in events if (found := _said(event))]
        url = events[0].taken.receipts_to
        if not said or not url:
            return None
        return signed(verification_key(), url, msgspec.json.encode(said) + b"\r\n", int(time()))

    def receipt(self, taken: Taken, kind: str, at: float) -> ProviderCall | None:
        return self.receipts_call([Event(taken, kind, at)])

    def sample_address(self, number: int) -> str:
        return f"rosa{number}@example.com"

    def _check_caller(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not given:
            raise Refused(401, "authorization required")
        if given != f"Bearer {API_KEY}":
            raise Refused(401, SAID[401])

    def _take_mail(self, request: Request) -> Reply:
        if "mail.send" not in self.scopes:
            raise Refused(403, "access forbidden")
        if len(request.body) > MOST_BYTES:
            raise Refused(413, SAID[413])
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise Refused(415, "Content-Type should be application/json.")
        try:
            mail = msgspec.json.decode(request.body, type=dict[str, Any])
        except msgspec.DecodeError:
            raise Refused(400, "Bad Request") from None
        message_id = sha256(request.body + str(request.number).encode()).hexdigest()[:22]
        seen = _messages(mail, message_id)
        try:
            _check(mail)
        except Refused as refused:
            said = _refusal(refused)
            return Reply(said.status, said.body, refused=seen)
        return Reply(202, b"", {"X-Message-Id": message_id}, taken=seen)


def _check(mail: dict[str, Any]) -> None:
    """In SendGrid's own words. Raises Refused."""
    groups = mail.get("personalizations")
    if not isinstance(groups, list) or not groups:
        raise Refused(
            400,
            "The personalizations field is required and must have at least one personalization.",
            "personalizations",
        )
    if sum(len(group.get(kind, ())) for group in groups for kind in ("to", "cc", "bcc")) > MOST_RECIPIENTS:
        raise Refused(400, f"The maximum number of recipients is {MOST_RECIPIENTS}.", "personalizations")
    for place, group in enumerate(groups):
        _check_group(f"personalizations.{place}", group, mail.get("subject"))
    sender = str((mail.get("from") or {}).get("email", ""))
    if not _EMAIL.fullmatch(sender):
        raise Refused(400, "The from object must be provided for every email send.", "from.email")
    if not sender.endswith(f"@{DOMAIN}"):
        words = "The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved."
        raise Refused(403, words, "from")
    _check_content(mail.get("content"))
    _check_headers(mail.get("headers", {}))
    _check_args(mail.get("custom_args", {}), "custom_args")
    if len(mail.get("categories", ())) > MOST_CATEGORIES:
        raise Refused(400, "The number of categories should not exceed 10.", "categories")


def _check_group(field: str, group: dict[str, Any], subject: object) -> None:
    if not group.get("to"):
        raise Refused(400, "The to array is required for all personalization objects.", f"{field}.to")
    for number, to in enumerate(group["to"]):
        if not _EMAIL.fullmatch(str(to.get("email", ""))):
            raise Refused(400, "Does not contain a valid address.", f"{field}.to.{number}.email")
    if not (subject or group.get("subject")):
        raise Refused(400, "The subject is required. You can get around this requirement with a template.", "subject")
    _check_args(group.get("custom_args", {}), f"{field}.custom_args")


def _check_content(content: Any) -> None:
    if not content:
        raise Refused(400, "Unless a valid template_id is provided, the content parameter is required.", "content")
    types = [part.get("type") for part in content]
    if any(not part.get("value") for part in content):
        raise Refused(400, "The content value must be a string at least one character in length.", "content.0.value")
    if types != sorted(types, key=lambda kind: {"text/plain": 0, "text/html": 1}.get(kind, 2)):
        words = "If present, text/plain and text/html may only be provided once and must come first, in this order."
        raise Refused(400, words, "content")


def _check_headers(headers: dict[str, Any]) -> None:
    for name, value in headers.items():
        if name.lower() in RESERVED or not isinstance(value, str):
            raise Refused(400, "The header is reserved or not a string.", f"headers.{name}")


def _check_args(values: dict[str, Any], field: str) -> None:
    if any(not isinstance(value, str) for value in values.values()):
        raise Refused(400, "Bad Request", field)
    if len(msgspec.json.encode(values)) > MOST_ARGS:
        raise Refused(400, f"The total size of custom_args must not exceed {MOST_ARGS} bytes.", field)


def _messages(mail: dict[str, Any], message_id: str) -> list[Taken]:
    headers = {str(name).lower(): str(value) for name, value in (mail.get("headers") or {}).items()}
    delivery = headers.get("message-id", "").strip("<>").partition("@")[0]
    seen = []
    for group in mail.get("personalizations") or ():
        arguments = {**(mail.get("custom_args") or {}), **(group.get("custom_args") or {})}
        for to in group.get("to") or ():
            seen.append(
                Taken(
                    str(arguments.get("notifier_reference", "")),
                    message_id,
                    str(to.get("email", "")),
                    delivery,
                    extra={name: str(value) for name, value in arguments.items()},
                )
            )
    return seen


def _said(event: Event) -> dict[str, Any] | None:
    fields = EVENTS.get(event.kind)
    if fields is None:
        return None
    taken = event.taken
    return {
        **taken.extra,
        "email": taken.address,
        "timestamp": int(event.at),
        "smtp-id": f"<{taken.delivery}@{DOMAIN}>",
        "sg_event_id": sha256(f"{taken.message_id} {taken.address} {event.kind}".encode()).hexdigest()[:22],
        "sg_message_id": f"{taken.message_id}.filter0001.16648.5515E0B88.0",
        "category": ["transactional"],
        **fields,
    }


def _refusal(refused: Refused) -> Reply:
    return _json(refused.status, {"errors": [{"message": str(refused), "field": refused.field, "help": None}]})


def _json(status: int, value: object) -> Reply:
    return Reply(status, msgspec.json.encode(value))
