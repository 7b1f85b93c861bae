"""Postmark: email, up to 500 messages a request. https://postmarkapp.com/developer/api/email-api and .../webhooks/webhooks-overview

Credentials: `server_token`. Settings: `streams`, the message stream by category, e.g. {"marketing": "broadcast", "default":
"outbound"} (without: Postmark's default stream), `track_opens`, `track_clicks` (false). Sender: of a confirmed signature or domain.
Webhook secrets: `user:password` of the webhook's URL, Postmark's only authentication.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec
from anymail.backends.postmark import EmailBackend

from apps.channels.anymail_letters import PERSONAL, REFERENCE, LetterProvider, quiet, unnamed
from apps.channels.base import HttpRequest, HttpResponse, Messages, UnreadableError
from apps.channels.basic_auth import is_logged_in, logins
from apps.channels.deadlines import Deadline
from apps.core import clock
from apps.core.enums import EventKind, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome, ProviderCall, Receipt

API = "https://api.postmarkapp.com"
MOST_BYTES_A_REQUEST = 50_000_000
# after which a message that the search does not show is not there
SETTLED = timedelta(minutes=2)
NO_MESSAGE = "00000000-0000-0000-0000-000000000000"

# https://postmarkapp.com/developer/api/overview#error-codes; what is not here is well served by its status
KINDS: Mapping[str, OutcomeKind] = {
    "error_10": OutcomeKind.MISCONFIGURED,  # no or a wrong token
    "error_11": OutcomeKind.MISCONFIGURED,  # testing mode
    "error_100": OutcomeKind.PROVIDER_DOWN,  # maintenance
    "error_300": OutcomeKind.REJECTED,  # an invalid request: its content or its headers
    "invalid_to": OutcomeKind.INVALID_ADDRESS,  # 300 that names the recipient
    "error_400": OutcomeKind.MISCONFIGURED,  # no such sender signature
    "error_401": OutcomeKind.MISCONFIGURED,  # sender signature not confirmed
    "error_402": OutcomeKind.REJECTED,  # invalid JSON
    "error_403": OutcomeKind.REJECTED,  # incompatible JSON
    "error_405": OutcomeKind.MISCONFIGURED,  # out of credits
    # on Postmark's suppression list, after a hard bounce, a complaint or by hand: it does not say which
    "error_406": OutcomeKind.OPTED_OUT,
    "error_409": OutcomeKind.REJECTED,  # JSON required
    "error_410": OutcomeKind.REJECTED,  # too many messages
    "error_411": OutcomeKind.REJECTED,  # attachment of a forbidden type
    "error_412": OutcomeKind.MISCONFIGURED,  # account pending approval
    "error_413": OutcomeKind.MISCONFIGURED,  # account may not send
    "error_429": OutcomeKind.THROTTLED,
    "error_1235": OutcomeKind.MISCONFIGURED,  # no such message stream
    "error_1236": OutcomeKind.MISCONFIGURED,  # a stream that does not send
}
# https://postmarkapp.com/developer/api/bounce-api#bounce-types; None: says nothing about delivery
BOUNCES: Mapping[str, tuple[EventKind, str] | None] = {
    "HardBounce": (EventKind.BOUNCED, ""),
    "BadEmailAddress": (EventKind.FAILED, OutcomeKind.INVALID_ADDRESS.value),
    "SoftBounce": (EventKind.SOFT_BOUNCED, ""),
    "Transient": (EventKind.DEFERRED, ""),
    "DnsError": (EventKind.DEFERRED, ""),
    "OpenRelayTest": (EventKind.DEFERRED, ""),
    "SpamNotification": (EventKind.COMPLAINED, ""),
    "SpamComplaint": (EventKind.COMPLAINED, ""),
    "Unsubscribe": (EventKind.OPTED_OUT, ""),
    "ManualSuppression": (EventKind.OPTED_OUT, ""),
    "Blocked": (EventKind.FAILED, ""),
    "ManuallyDeactivated": (EventKind.FAILED, ""),
    "Unconfirmed": (EventKind.FAILED, ""),
    "VirusNotification": (EventKind.FAILED, ""),
    "DMARCPolicy": (EventKind.FAILED, ""),
    "SMTPApiError": (EventKind.FAILED, ""),
    "TemplateRenderingFailed": (EventKind.FAILED, ""),
    "Subscribe": None,
    "AutoResponder": None,
    "AddressChange": None,
    "ChallengeVerification": None,
    "InboundError": None,
    "Unknown": None,
}
RECORDS: Mapping[str, EventKind] = {
    "Delivery": EventKind.DELIVERED,
    "Open": EventKind.OPENED,
    "Click": EventKind.CLICKED,
    "SpamComplaint": EventKind.COMPLAINED,
}
_TO_IS_WRONG = re.compile(r"(Invalid|Error parsing) 'To'", re.IGNORECASE)


class Result(msgspec.Struct, rename="pascal"):
    """One message's, and a whole request's refusal. A message accepted in spite of a disturbance has no error code."""

    error_code: int = 0
    message: str = ""
    message_id: str = msgspec.field(name="MessageID", default="")


class Event(msgspec.Struct, rename="pascal"):
    record_type: str
    message_id: str | None = msgspec.field(name="MessageID", default="")
    id: int | None = msgspec.field(name="ID", default=None)
    type: str = ""
    metadata: dict[str, str] | None = None
    recipient: str = ""
    email: str = ""
    details: str | None = ""
    original_link: str = ""
    delivered_at: str = ""
    bounced_at: str = ""
    received_at: str = ""
    changed_at: str = ""
    suppress_sending: bool = False
    suppression_reason: str | None = ""
    origin: str = ""


class Found(msgspec.Struct, rename="pascal"):
    messages: list[Result]


class Server(msgspec.Struct, rename="pascal"):
    name: str = ""
    delivery_type: str = ""


_results = msgspec.json.Decoder(list[Result])
_result = msgspec.json.Decoder(Result)
_event = msgspec.json.Decoder(Event)
_found = msgspec.json.Decoder(Found)
_server = msgspec.json.Decoder(Server)


class PostmarkProvider(LetterProvider):
    name = "postmark"
    # Postmark takes a call for stored only when it is answered with exactly this
    thanks = (200, "application/json", b'{"status":"stored"}')
    has_look_up = True
    max_batch = 500
    most_bytes = 10_000_000
    backend = quiet(EmailBackend, server_token="")
    kinds: ClassVar[Mapping[str, OutcomeKind]] = KINDS

    def split(self, account: Account, messages: Messages) -> list[list[OutboundMessage]]:
        """Large mails make small calls: 50 MB is what one takes."""
        return [
            list(call[start : start + size])
            for call in super().split(account, messages)
            for size in [max(1, min(len(call), MOST_BYTES_A_REQUEST // (2 * max(map(_size, call)))))]
            for start in range(0, len(call), size)
        ]

    def api_url(self, account: Account) -> str:
        return f"{account.base_url or API}/"

    def options(self, account: Account, message: OutboundMessage) -> Mapping[str, Any]:
        return {
            "server_token": account.credentials.get("server_token", ""),
            "message_stream": _stream(account, message),
        }

    def headers(self, message: OutboundMessage) -> Mapping[str, str]:
        """Without this, Postmark replaces the Message-ID."""
        return {"X-PM-KeepID": "true"}

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        """Always a batch: its answers are one for each message."""
        payloads = [self.payload(account, message) for message in messages]
        parts = [payload.serialize_data().encode() for payload in payloads]
        for part in parts:
            self.check_size(part)
        headers = self.written(account, payloads[0]).headers
        return HttpRequest(f"{self.api_url(account)}email/batch", b"[" + b",".join(parts) + b"]", headers)

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        return [self._outcome(result, response) for result in _results.decode(response.body)]

    def error(self, response: HttpResponse) -> tuple[str, str]:
        result = _result.decode(response.body)
        return _code(result), result.message

    def _outcome(self, result: Result, response: HttpResponse) -> Outcome:
        if result.error_code:
            kind = self.kinds.get(_code(result), OutcomeKind.REJECTED)
            return Outcome(kind, _code(result), "" if kind in PERSONAL else unnamed(result.message)[:500])
        if not result.message_id:
            raise UnreadableError("a result with neither an error nor an id")
        return Outcome(OutcomeKind.ACCEPTED, provider_message_id=result.message_id)

    def verify(self, account: Account, call: ProviderCall, now: datetime) -> bool:
        """Basic authentication, over HTTPS, is all there is: it covers neither the body nor a time."""
        return is_logged_in(logins(account.webhook_secrets), call.headers)

    def parse_receipts(self, account: Account, call: ProviderCall) -> list[Receipt]:
        event = _event.decode(call.body)
        found = _meaning(event)
        reference = (event.metadata or {}).get(REFERENCE, "")
        message_id = event.message_id if event.message_id and event.message_id != NO_MESSAGE else ""
        if found is None or not (reference or message_id):
            return []
        kind, code = found
        return [
            Receipt(
                event_id=_event_id(event),
                kind=kind,
                at=_at(event),
                reference=reference,
                provider_message_id=message_id,
                code=code[:64],
                detail=unnamed(event.details or "")[:500],
            )
        ]

    def look_up(self, account: Account, message: OutboundMessage, since: datetime, deadline: Deadline) -> str | None:
        """By the attempt's id in the metadata (Messages API, outbound message search)."""
        wanted = {"count": "1", "offset": "0", f"metadata_{REFERENCE}": message.reference}
        if stream := _stream(account, message):
            wanted["messagestream"] = stream
        answer = self.ask(account, f"messages/outbound?{urlencode(wanted)}", _headers(account), deadline)
        if isinstance(answer, Outcome):
            return None
        for found in _found.decode(answer.body).messages:
            return found.message_id
        return "" if clock.now() - since >= SETTLED else None

    def check_credentials(self, account: Account, deadline: Deadline) -> Outcome | None:
        answer = self.ask(account, "server", _headers(account), deadline)
        if isinstance(answer, Outcome):
            return answer
        server = _server.decode(answer.body)
        if server.delivery_type == "Sandbox":
            said = f"The server {server.name} is a sandbox: Postmark delivers nothing from it."
            return Outcome(OutcomeKind.MISCONFIGURED, "sandbox_server", said)
        return Outcome(OutcomeKind.ACCEPTED, detail=f"The token is that of the server {server.name}.")


def _headers(account: Account) -> Mapping[str, str]:
    return {"X-Postmark-Server-Token": account.credentials.get("server_token", ""), "Accept": "application/json"}


def _stream(account: Account, message: OutboundMessage) -> str | None:
    streams = account.settings.get("streams") or {}
    return streams.get(message.category.value) or streams.get("default")


def _code(result: Result) -> str:
    if result.error_code == 300 and _TO_IS_WRONG.match(result.message):
        return "invalid_to"
    return f"error_{result.error_code}" if result.error_code else ""


def _size(message: OutboundMessage) -> int:
    """About what it has in a request, headers included."""
    return 2_000 + sum(len(text.encode()) for text in message.content.values())


def _meaning(event: Event) -> tuple[EventKind, str] | None:
    match event.record_type:
        case "Bounce":
            found = BOUNCES.get(event.type)
            return (found[0], found[1] or event.type) if found else None
        case "SubscriptionChange" if event.suppress_sending:
            # what the account's owner suppressed by hand is nothing that the person said
            reason = event.suppression_reason or "ManualSuppression"
            found = (
                None if reason == "ManualSuppression" and event.origin not in {"", "Recipient"} else BOUNCES.get(reason)
            )
            return (found[0], reason) if found else None
        case word if word in RECORDS:
            return RECORDS[word], ""
        case _:
            return None


def _event_id(event: Event) -> str:
    """Only bounces and complaints have an id."""
    if event.id is not None:
        return f"{event.record_type}:{event.id}"
    said = (event.record_type, event.message_id, event.recipient.lower(), _when(event), event.original_link)
    return sha256("\n".join(str(part) for part in said).encode()).hexdigest()


def _when(event: Event) -> str:
    return event.delivered_at or event.bounced_at or event.received_at or event.changed_at


def _at(event: Event) -> datetime:
    """Raises ValueError for a time that is none."""
    at = datetime.fromisoformat(_when(event))
    return at if at.tzinfo else at.replace(tzinfo=UTC)
