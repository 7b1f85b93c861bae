"""SMS through Vonage's Messages API (SDK: vonage-messages, vonage-jwt). https://developer.vonage.com/en/api/messages

Credentials: `application_id` and `private_key` (PEM) to sign with, or `api_key` and `api_secret`. Webhook secrets: the signature
secrets of the API key, several while they are changed; there are no receipts without one. Sender: a number or an alphanumeric name.
Settings: `encoding_type` (text, unicode, auto), `pool_id`, `content_id` and `entity_id` (where a country wants them).

Receipts come to the door by themselves: its address travels with every message. For inbound texts set the account's door as the
application's inbound URL, and Messages API as the default SMS setting.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import ValidationError
from vonage_jwt import JwtClient
from vonage_messages.models import Sms, SmsOptions

from apps.channels.base import (
    HttpRequest,
    HttpResponse,
    Messages,
    NotSentError,
    Provider,
    UnreadableError,
    UntranslatableError,
)
from apps.channels.deadlines import Deadline
from apps.core import clock
from apps.core.enums import Channel, EventKind, OutcomeKind
from apps.core.types import Account, InboundText, Outcome, ProviderCall, Receipt

API = "https://api.nexmo.com"
SHORTEST_TTL, LONGEST_TTL = 20, 604_800
OPTIONS = ("encoding_type", "content_id", "entity_id", "pool_id")

# RFC 7807 answers name an error in the fragment of `type`: a word, or a number of the Messages API's. Below 100: what a carrier's
# delivery receipt says. https://developer.vonage.com/en/api-errors, .../messages/guides/error-codes
CODES: Mapping[OutcomeKind, str] = {
    OutcomeKind.INVALID_ADDRESS: "1040 1050 1170 1190 1280 3 4 14",
    OutcomeKind.OPTED_OUT: "1240 9",
    # 1120 is about the sender in one country: it must not switch the account off
    OutcomeKind.REJECTED: "1010 1020 1021 1022 1090 1120 1130 1150 1200 1210 1250 1260 1270 1300 1310 1340 1360"
    " 6 10 13 invalid-params invalid-json",
    OutcomeKind.MISCONFIGURED: "1060 1070 1080 1110 1140 1160 account-suspended forbidden invalid-api-key invalid-signature"
    " jwt-expired jwt-revoked low-balance not-found unauthorized unprovisioned",
    OutcomeKind.THROTTLED: "1000 1241 rate-limit throttled",
    OutcomeKind.TRANSIENT: "1030 1100 1180 1220 1230 1290 2 7 8",
}
EVENTS: Mapping[str, EventKind] = {
    "submitted": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "read": EventKind.OPENED,
    "undeliverable": EventKind.FAILED,
    "rejected": EventKind.FAILED,
}
# a failed callback is repeated for a day, and not always signed anew; within it the receipts' ids stop a replay
OLDEST, SKEW = timedelta(hours=24), timedelta(minutes=5)
_UNTIMED: Any = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}


class _Taken(msgspec.Struct):
    message_uuid: str


class _Problem(msgspec.Struct):
    type: str = ""
    title: str | int = ""

    @property
    def code(self) -> str:
        """The fragment of `type`; the title, where it is a number."""
        named = self.type.rpartition("#")[2] if "#" in self.type else ""
        return named or (str(self.title) if str(self.title).isdecimal() else "")


class _Event(msgspec.Struct):
    """A status or an inbound message: which one it is, `status` tells."""

    message_uuid: str
    timestamp: str = ""
    status: str = ""
    client_ref: str | None = None
    error: _Problem | None = None
    sender: str = msgspec.field(name="from", default="")
    text: str | None = None


class VonageProvider(Provider):
    name = "vonage"
    channels = frozenset({Channel.SMS})
    fan_out = 16
    has_receipts = True
    # other 2xx statuses are not documented to stop the repetitions
    thanks = (200, "application/json", b'{"status":"stored"}')
    kinds = {code: kind for kind, codes in CODES.items() for code in codes.split()}
    # a second POST is a second SMS: only 503 says that nothing was taken
    statuses = {status: OutcomeKind.AMBIGUOUS for status in range(500, 600) if status != 503} | {
        404: OutcomeKind.MISCONFIGURED
    }

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        (message,) = messages
        options = {name: account.settings[name] for name in OPTIONS if account.settings.get(name)}
        text = message.content.get("body", "")
        if not text:
            raise UntranslatableError("There is no text.")
        try:
            sms = Sms(
                to=message.address.removeprefix("+"),
                from_=(message.sender or account.sender).removeprefix("+"),
                text=text,
                ttl=None if message.ttl is None else min(max(message.ttl, SHORTEST_TTL), LONGEST_TTL),
                sms=SmsOptions(**options) if options else None,
                client_ref=message.reference,
                webhook_url=account.receipts_url or None,
                webhook_version="v1" if account.receipts_url else None,
            )
        except ValidationError as error:
            # its own text would show the address and the content
            faults = [
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False)
            ]
            raise UntranslatableError("; ".join(faults)) from None
        body = msgspec.json.encode(sms.model_dump(mode="json", by_alias=True, exclude_none=True))
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return HttpRequest(f"{account.base_url or API}/v1/messages", body, headers)

    def authorize(self, account: Account, request: HttpRequest, deadline: Deadline) -> HttpRequest:
        found = account.credentials
        if found.get("application_id") and found.get("private_key"):
            signer = _signer(found["application_id"], found["private_key"])
            authorization = f"Bearer {signer.generate_application_jwt().decode()}"
        elif found.get("api_key") and found.get("api_secret"):
            pair = b64encode(f"{found['api_key']}:{found['api_secret']}".encode()).decode()
            authorization = f"Basic {pair}"
        else:
            detail = "Give application_id and private_key, or api_key and api_secret."
            raise NotSentError(OutcomeKind.MISCONFIGURED, "no_credentials", detail)
        return replace(request, headers={**request.headers, "Authorization": authorization})

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        taken = msgspec.json.decode(response.body, type=_Taken)
        if not taken.message_uuid:
            raise UnreadableError("there is no message id")
        return [Outcome(OutcomeKind.ACCEPTED, provider_message_id=taken.message_uuid)]

    def error_code(self, response: HttpResponse) -> str:
        return msgspec.json.decode(response.body, type=_Problem).code

    def verify(self, account: Account, call: ProviderCall, now: datetime) -> bool:
        """A JWT (HS256) over the body's hash and the time. What Vonage sends unsigned by its own fault it sends again.
        https://developer.vonage.com/en/getting-started/concepts/webhooks#signed-webhooks"""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        digest = sha256(call.body).hexdigest()
        return any(_is_signed(token, secret, digest, now) for secret in account.webhook_secrets if secret)

    def parse_receipts(self, account: Account, call: ProviderCall) -> list[Receipt]:
        event = msgspec.json.decode(call.body, type=_Event)
        if event.status not in EVENTS:
            return []
        receipt = Receipt(
            f"{event.message_uuid}-{event.status}",
            EVENTS[event.status],
            _moment(event, call),
            event.client_ref or "",
            event.message_uuid,
        )
        if receipt.kind != EventKind.FAILED:
            return [receipt]
        code = event.error.code if event.error else ""
        detail = f"Vonage: {event.status}" + (f", error {code}" if code else "")
        receipt = replace(receipt, code=(code or event.status)[:64], detail=detail)
        match self.kinds.get(code):
            case OutcomeKind.INVALID_ADDRESS:
                return [replace(receipt, code=OutcomeKind.INVALID_ADDRESS.value)]
            case OutcomeKind.OPTED_OUT:
                return [receipt, replace(receipt, kind=EventKind.OPTED_OUT, event_id=f"{receipt.event_id}-opted_out")]
            case _:
                return [receipt]

    def parse_inbound(self, account: Account, call: ProviderCall) -> list[InboundText]:
        event = msgspec.json.decode(call.body, type=_Event)
        if event.status or event.text is None or not event.sender.isdecimal():
            return []
        return [InboundText(event.message_uuid, _moment(event, call), f"+{event.sender}", event.text)]


@lru_cache(maxsize=64)
def _signer(application_id: str, private_key: str) -> Any:
    """The key is read once: to read and check it takes longer than a hundred signatures. Raises NotSentError."""
    try:
        return JwtClient(application_id, load_pem_private_key(private_key.encode(), None))
    except Exception as error:
        raise NotSentError(
            OutcomeKind.MISCONFIGURED, "private_key", f"It cannot be read: {type(error).__name__}."
        ) from None


def _is_signed(token: str, secret: str, digest: str, now: datetime) -> bool:
    try:
        claims = jwt.decode(token, secret, algorithms=["HS256"], options=_UNTIMED)
        made_at = datetime.fromtimestamp(float(claims["iat"]), UTC)
        is_same = hmac.compare_digest(str(claims["payload_hash"]).lower().encode(), digest.encode())
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError, OSError):
        return False
    return is_same and now - OLDEST <= made_at <= now + SKEW


def _moment(event: _Event, call: ProviderCall) -> datetime:
    """The event's own time, or when it came in."""
    try:
        at = datetime.fromisoformat(event.timestamp)
    except ValueError:
        return call.received_at or clock.now()
    return at if at.tzinfo else at.replace(tzinfo=UTC)
