"""Mailgun: email. https://documentation.mailgun.com/docs/mailgun/api-reference/ (Messages) and .../user-manual/webhooks/

Credentials: `api_key` (an account's key, or a domain's sending key). Settings: `domain` (by default the sender's), `region`
("eu": api.eu.mailgun.net), `track_opens`, `track_clicks` (false), `sending_key` (true: the key may send and nothing else).
Webhook secrets: the HTTP webhook signing key, and the `user:password` of the webhook's URL.

The signature covers a time and a token, not the event. So an account should have a login besides, which then every call must
carry; and the token is the event's id: a call that somebody else's words were put into after it was applied has no effect.
One message a request: Mailgun's batches share one content, and ours is each recipient's own.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from email.utils import parseaddr
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec
from anymail.backends.mailgun import EmailBackend

from apps.channels.anymail_letters import REFERENCE, LetterProvider, is_fresh, moment, quiet, unnamed
from apps.channels.base import HttpRequest, HttpResponse, Messages
from apps.channels.basic_auth import is_logged_in, logins, signing_keys
from apps.channels.deadlines import Deadline
from apps.core.enums import MACHINE, EventKind, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome, ProviderCall, Receipt

HOSTS = {"": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
NO_SUCH_DOOR = b"Mailgun Magnificent API"

EVENTS: Mapping[str, EventKind] = {
    "accepted": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "rejected": EventKind.FAILED,
    "opened": EventKind.OPENED,
    "clicked": EventKind.CLICKED,
    "unsubscribed": EventKind.OPTED_OUT,
    "complained": EventKind.COMPLAINED,
}
# a permanent failure by its reason; any other reason (gave up after days, refused by policy) does not prove the address dead
PERMANENT: Mapping[str, tuple[EventKind, ...]] = {
    "bounce": (EventKind.BOUNCED,),
    "suppress-bounce": (EventKind.BOUNCED,),
    "suppress-unsubscribe": (EventKind.FAILED, EventKind.OPTED_OUT),
    "suppress-complaint": (EventKind.FAILED, EventKind.OPTED_OUT),
}


class Answer(msgspec.Struct):
    id: str
    message: str


class Refusal(msgspec.Struct):
    message: str


class Signature(msgspec.Struct):
    timestamp: str
    token: str
    signature: str


class DeliveryStatus(msgspec.Struct, rename="kebab"):
    code: int | None = None
    message: str | None = None
    description: str | None = None
    bounce_type: str | None = None


class ClientInfo(msgspec.Struct):
    bot: str | None = None


class Mail(msgspec.Struct):
    headers: dict[str, Any] = {}


class EventData(msgspec.Struct, rename="kebab"):
    """What is read of an event. Without variables, `user-variables` is a list."""

    event: str
    timestamp: float
    severity: str = ""
    reason: str = ""
    message: Mail | None = None
    user_variables: dict[str, Any] | list[Any] | None = None
    delivery_status: DeliveryStatus | None = None
    client_info: ClientInfo | None = None


class Signed(msgspec.Struct):
    signature: Signature


class Call(msgspec.Struct, rename="kebab"):
    signature: Signature
    event_data: EventData


class Domain(msgspec.Struct):
    state: str = ""


class DomainAnswer(msgspec.Struct):
    domain: Domain


_answer = msgspec.json.Decoder(Answer)
_refusal = msgspec.json.Decoder(Refusal)
_signed = msgspec.json.Decoder(Signed, strict=False)
_call = msgspec.json.Decoder(Call, strict=False)
_domain = msgspec.json.Decoder(DomainAnswer)


class MailgunProvider(LetterProvider):
    name = "mailgun"
    # Mailgun takes a call for stored only when it is answered with exactly this
    thanks = (200, "application/json", b'{"status":"stored"}')
    fan_out = 32
    most_bytes = 25_000_000
    backend = quiet(EmailBackend, api_key="")
    kinds: ClassVar[Mapping[str, OutcomeKind]] = {
        "invalid_to": OutcomeKind.INVALID_ADDRESS,
        "no_such_door": OutcomeKind.MISCONFIGURED,
    }
    # 500 stays transient: people have seen it for mail that went out, and a second try has the same Message-ID
    statuses: ClassVar[Mapping[int, OutcomeKind]] = {
        402: OutcomeKind.MISCONFIGURED,
        404: OutcomeKind.MISCONFIGURED,
        405: OutcomeKind.MISCONFIGURED,
    }

    def api_url(self, account: Account) -> str:
        host = account.base_url or HOSTS.get(str(account.settings.get("region", "")), HOSTS[""])
        return f"{host.removesuffix('/v3')}/v3/"

    def options(self, account: Account, message: OutboundMessage) -> Mapping[str, Any]:
        return {
            "api_key": account.credentials.get("api_key", ""),
            "sender_domain": account.settings.get("domain") or None,
        }

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        return self.written(account, self.payload(account, messages[0]))

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        if NO_SUCH_DOOR in response.body:
            return [self.outcome("no_such_door", response, detail="The domain or the base URL is not right.")]
        return [Outcome(OutcomeKind.ACCEPTED, provider_message_id=_bare(_answer.decode(response.body).id))]

    def error(self, response: HttpResponse) -> tuple[str, str]:
        said = _refusal.decode(response.body).message
        is_address = response.status == 400 and said.startswith("'to' parameter is not a valid address")
        return "invalid_to" if is_address else "", said

    def verify(self, account: Account, call: ProviderCall, now: datetime) -> bool:
        """HMAC-SHA256 over timestamp and token (Securing Webhooks), and the login if there is one."""
        secrets = account.webhook_secrets
        if logins(secrets) and not is_logged_in(logins(secrets), call.headers):
            return False
        try:
            said = _signed.decode(call.body).signature
        except msgspec.DecodeError:
            return False
        if not said.token or not is_fresh(said.timestamp, now):
            return False
        signed = f"{said.timestamp}{said.token}".encode()
        digests = [hmac.digest(key.encode(), signed, "sha256").hex() for key in signing_keys(secrets)]
        return any(hmac.compare_digest(digest.encode(), said.signature.encode()) for digest in digests)

    def parse_receipts(self, account: Account, call: ProviderCall) -> list[Receipt]:
        said = _call.decode(call.body)
        return _receipts(said.event_data, said.signature.token)

    def check_credentials(self, account: Account, deadline: Deadline) -> Outcome | None:
        if account.settings.get("sending_key") is True:
            return None
        domain = str(account.settings.get("domain") or parseaddr(account.sender)[1].rpartition("@")[2])
        login = b64encode(f"api:{account.credentials.get('api_key', '')}".encode()).decode()
        answer = self.ask(account, f"domains/{quote(domain, safe='')}", {"Authorization": f"Basic {login}"}, deadline)
        if isinstance(answer, Outcome):
            return answer
        state = _domain.decode(answer.body).domain.state
        if state != "active":
            said = f"The domain is {state or 'unknown'} at Mailgun: set up its DNS records and verify it there."
            return Outcome(OutcomeKind.MISCONFIGURED, "domain_not_active", said)
        return Outcome(OutcomeKind.ACCEPTED, detail="The key is known and the domain is active.")


def _receipts(event: EventData, token: str) -> list[Receipt]:
    kinds, code = _kinds(event)
    mail = event.message.headers if event.message else {}
    message_id = _bare(str(mail.get("message-id") or ""))
    variables = event.user_variables if isinstance(event.user_variables, dict) else {}
    reference = str(variables.get(REFERENCE, ""))
    if not (reference or message_id):
        return []
    status = event.delivery_status
    said = (status.message or status.description or "") if status else ""
    return [
        Receipt(
            event_id=token if place == 0 else f"{token}:{kind}",
            kind=kind,
            at=moment(event.timestamp),
            reference=reference,
            provider_message_id=message_id,
            code=code,
            detail=unnamed(said)[:500],
        )
        for place, kind in enumerate(kinds)
    ]


def _kinds(event: EventData) -> tuple[tuple[EventKind, ...], str]:
    status = event.delivery_status
    code = event.reason or (str(status.code) if status and status.code else "")
    match event.event:
        case "failed" if event.severity == "permanent":
            is_hard = status is not None and status.bounce_type == "hard"
            otherwise = EventKind.BOUNCED if is_hard else EventKind.SOFT_BOUNCED
            return PERMANENT.get(event.reason, (otherwise,)), code[:64]
        case "failed":
            return (EventKind.DEFERRED,), code[:64]
        case "opened" | "clicked" as word:
            is_machine = event.client_info is not None and bool(event.client_info.bot)
            return (EVENTS[word],), MACHINE if is_machine else ""
        case word if word in EVENTS:
            return (EVENTS[word],), event.reason[:64]
        case _:
            return (), ""


def _bare(message_id: str) -> str:
    return message_id.strip().removeprefix("<").removesuffix(">")
