"""SendGrid: email, Web API v3. https://www.twilio.com/docs/sendgrid/api-reference/mail-send and .../tracking-events/event

Credentials: `api_key` (with the permission mail.send). Settings: `region` ("eu": api.eu.sendgrid.com), `track_opens`,
`track_clicks` (false). Sender: of a verified domain. Webhook secrets: the verification keys of the signed event webhook; besides,
if the webhook's URL has one, its `user:password`.

One message a request: SendGrid's batches share one content, and ours is each recipient's own.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar

import msgspec
from anymail.backends.sendgrid import EmailBackend
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from apps.channels.anymail_letters import REFERENCE, LetterProvider, is_fresh, moment, quiet, unnamed
from apps.channels.base import HttpRequest, HttpResponse, Messages, UnreadableError
from apps.channels.basic_auth import is_logged_in, logins, signing_keys
from apps.channels.deadlines import Deadline
from apps.channels.reading import read_each
from apps.core.enums import MACHINE, EventKind, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome, ProviderCall, Receipt

HOSTS = {"": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

EVENTS: Mapping[str, EventKind] = {
    "processed": EventKind.SENT,
    "deferred": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "spamreport": EventKind.COMPLAINED,
    "unsubscribe": EventKind.OPTED_OUT,
    "group_unsubscribe": EventKind.OPTED_OUT,
}
# a block is the receiving server's quarrel with the message or with SendGrid, not with the address
BOUNCES: Mapping[str, EventKind] = {"bounce": EventKind.BOUNCED, "blocked": EventKind.SOFT_BOUNCED}
# why SendGrid did not even try: what becomes of the message, and what it says about the person
DROPS: Mapping[str, tuple[tuple[EventKind, str], ...]] = {
    "bounced address": ((EventKind.BOUNCED, "bounced_address"),),
    "unsubscribed address": ((EventKind.FAILED, "unsubscribed_address"), (EventKind.OPTED_OUT, "unsubscribed_address")),
    "spam reporting address": (
        (EventKind.FAILED, "spam_reporting_address"),
        (EventKind.OPTED_OUT, "spam_reporting_address"),
    ),
    "invalid": ((EventKind.FAILED, OutcomeKind.INVALID_ADDRESS.value),),
}
_TO = re.compile(r"personalizations\.\d+\.to\.\d+\.email")


class Fault(msgspec.Struct):
    message: str | None = None
    field: str | None = None


class Refusal(msgspec.Struct):
    errors: list[Fault]


class Event(msgspec.Struct):
    """What is read of an event. Custom arguments stand beside SendGrid's own fields."""

    event: str
    timestamp: float
    sg_event_id: str
    sg_message_id: str = ""
    type: str = ""
    reason: str = ""
    response: str = ""
    status: str = ""
    sg_machine_open: bool = False
    reference: str = msgspec.field(name=REFERENCE, default="")


_refusal = msgspec.json.Decoder(Refusal)
_events = msgspec.json.Decoder(list[msgspec.Raw])
_event = msgspec.json.Decoder(Event, strict=False)


class SendGridProvider(LetterProvider):
    name = "sendgrid"
    fan_out = 32
    most_bytes = 30_000_000
    backend = quiet(EmailBackend, api_key="", generate_message_id=False)
    kinds: ClassVar[Mapping[str, OutcomeKind]] = {"invalid_to": OutcomeKind.INVALID_ADDRESS}
    statuses: ClassVar[Mapping[int, OutcomeKind]] = {
        404: OutcomeKind.MISCONFIGURED,
        405: OutcomeKind.MISCONFIGURED,
        500: OutcomeKind.PROVIDER_DOWN,
    }

    def api_url(self, account: Account) -> str:
        host = account.base_url or HOSTS.get(str(account.settings.get("region", "")), HOSTS[""])
        return f"{host.removesuffix('/v3')}/v3/"

    def options(self, account: Account, message: OutboundMessage) -> Mapping[str, Any]:
        return {"api_key": account.credentials.get("api_key", "")}

    def extra(self, account: Account, message: OutboundMessage) -> Mapping[str, Any]:
        """No footer of SendGrid's own: the mail has its unsubscribe link, and its headers."""
        return {"tracking_settings": {"subscription_tracking": {"enable": False}}}

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        return self.written(account, self.payload(account, messages[0]))

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        if response.status != 202 or response.body.strip():
            raise UnreadableError("not an empty 202")
        return [Outcome(OutcomeKind.ACCEPTED, provider_message_id=response.headers.get("x-message-id", ""))]

    def error(self, response: HttpResponse) -> tuple[str, str]:
        fault = next(iter(_refusal.decode(response.body).errors), Fault())
        field, said = fault.field or "", fault.message or ""
        if response.status == 400 and _TO.fullmatch(field) and "valid address" in said:
            return "invalid_to", said
        return re.sub(r"\.\d+", "", field), said

    def verify(self, account: Account, call: ProviderCall, now: datetime) -> bool:
        """ECDSA with P-256 and SHA-256 over timestamp and body (Event Webhook Security Features)."""
        secrets = account.webhook_secrets
        timestamp = call.headers.get(TIMESTAMP, "")
        if not is_fresh(timestamp, now) or (logins(secrets) and not is_logged_in(logins(secrets), call.headers)):
            return False
        signed = timestamp.encode() + call.body
        return any(_is_signed(key, call.headers.get(SIGNATURE, ""), signed) for key in signing_keys(secrets))

    def parse_receipts(self, account: Account, call: ProviderCall) -> list[Receipt]:
        return read_each(_events.decode(call.body), lambda raw: _receipts(_event.decode(raw)))

    def check_credentials(self, account: Account, deadline: Deadline) -> Outcome | None:
        authorization = {"Authorization": f"Bearer {account.credentials.get('api_key', '')}"}
        answer = self.ask(account, "scopes", authorization, deadline)
        if isinstance(answer, Outcome):
            return answer
        scopes = msgspec.json.decode(answer.body, type=dict[str, Any]).get("scopes", [])
        if "mail.send" not in scopes:
            return Outcome(OutcomeKind.MISCONFIGURED, "no_mail_send", "Give the API key the permission Mail Send.")
        return Outcome(OutcomeKind.ACCEPTED, detail="The API key may send.")


def _receipts(event: Event) -> list[Receipt]:
    code, said = event.status, event.reason or event.response
    kinds: tuple[tuple[EventKind, str], ...]
    match event.event:
        case "bounce":
            kinds = ((BOUNCES.get(event.type, EventKind.BOUNCED), code),)
        case "dropped":
            reason = " ".join(event.reason.lower().split())
            kinds = DROPS.get(reason, ((EventKind.FAILED, reason.replace(" ", "_")[:64] or "dropped"),))
        case "open" if event.sg_machine_open:
            kinds = ((EventKind.OPENED, MACHINE),)
        case word if word in EVENTS:
            kinds = ((EVENTS[word], code),)
        case _:
            return []
    message_id = re.split(r"\.(?:filter|recv)", event.sg_message_id, maxsplit=1)[0]
    if not (event.reference or message_id):
        return []
    return [
        Receipt(
            event_id=event.sg_event_id if place == 0 else f"{event.sg_event_id}:{kind}",
            kind=kind,
            at=moment(event.timestamp),
            reference=event.reference,
            provider_message_id=message_id,
            code=code,
            detail=unnamed(said)[:500],
        )
        for place, (kind, code) in enumerate(kinds)
    ]


def _is_signed(key: str, signature: str, signed: bytes) -> bool:
    public = _public_key(key)
    if public is None:
        return False
    try:
        public.verify(b64decode(signature, validate=True), signed, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=256)
def _public_key(text: str) -> ec.EllipticCurvePublicKey | None:
    """As the console shows it: base64 of the DER form, or the same between PEM's lines. None for any other text."""
    bare = "".join(re.sub(r"-----[A-Z ]+-----", "", text).split())
    try:
        key = load_der_public_key(b64decode(bare, validate=True))
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) else None
