"""SMS through Twilio's Messages resource (SDK: twilio 9). https://www.twilio.com/docs/messaging/api/message-resource

Credentials: `account_sid` and `auth_token`; with `api_key` and `api_secret` besides, these send and the token only checks
signatures. Webhook secrets: auth tokens, several while they are changed; without any, `auth_token`.
Sender: a number (E.164), a short code, an alphanumeric name, or a messaging service (MG and 32 hex digits).
Settings: `smart_encoded` (true: similar GSM-7 characters instead of others), `validity_period` (the most seconds a message may wait
at Twilio, 36000 by default), `region` and `edge` (with an empty base_url).

Receipts come to the door by themselves: their address travels with every message. For inbound texts set the account's door as
the number's or the messaging service's incoming webhook (POST).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from django.core.exceptions import SuspiciousOperation
from django.http import QueryDict
from msgspec import structs
from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator, get_signature_algorithm

from apps.channels.answers import FAULT_KINDS
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
from apps.channels.transport import Fault, exchange
from apps.channels.twilio_letters import login, written
from apps.core import clock
from apps.core.enums import Channel, EventKind, OutcomeKind
from apps.core.types import Account, InboundText, OutboundMessage, Outcome, ProviderCall, Receipt

MOST_CHARACTERS = 1600
LONGEST_VALIDITY = 36_000
# without these Twilio calls once: what it cannot deliver while we restart would be lost. The fragment stays with Twilio
RETRIES = "rc=5&rp=5xx,ct,rt"
MESSAGING_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
SHORT_CODE = re.compile(r"\d{3,8}")
KEYWORDS = frozenset({"stop", "start", "help"})

# what Twilio's API and its status callbacks say (https://www.twilio.com/docs/api/errors)
CODES: Mapping[OutcomeKind, str] = {
    OutcomeKind.INVALID_ADDRESS: "21211 21217 21265 21268 21614 21635 30005 30006",
    OutcomeKind.OPTED_OUT: "21610 30004",
    # 21266 is about our own number: it must not switch the account off
    OutcomeKind.REJECTED: "21266 21602 21604 21617 21619 21620 21623 21655 21656 30007 30010",
    OutcomeKind.MISCONFIGURED: "10001 20003 20005 20006 20008 20404 21212 21267 21408 21603 21606 21607 21608 21609 21612 21659 21660 21661"
    " 21701 30002 30032 30034",
    OutcomeKind.THROTTLED: "14107 20429 21611 30001 30022 30023",
    OutcomeKind.TRANSIENT: "30003 30008 30009 30410 30500",
    OutcomeKind.PROVIDER_DOWN: "20503",
    OutcomeKind.AMBIGUOUS: "20500 20502 20504",
}
# of a short code these may speak of one destination: its country (21606, 21659), its carrier (30006)
SHORT_CODE_KINDS: Mapping[str, OutcomeKind] = dict.fromkeys(("21606", "21659", "30006"), OutcomeKind.REJECTED)
EVENTS: Mapping[str, EventKind] = {
    "sent": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "partially_delivered": EventKind.DELIVERED,
    "read": EventKind.OPENED,
    "undelivered": EventKind.FAILED,
    "failed": EventKind.FAILED,
    "canceled": EventKind.FAILED,
}
FAILED = frozenset({"undelivered", "failed", "canceled"})

# a message in doubt was made within this time, for no request is under way for longer; clocks may differ by a little
SETTLED = timedelta(seconds=60)
SKEW = timedelta(seconds=10)
PAGE = 100


class _Refusal(msgspec.Struct):
    code: int | str | None = None


class _Message(msgspec.Struct):
    sid: str
    status: str = ""
    error_code: int | None = None
    to: str = ""
    number: str | None = msgspec.field(name="from", default=None)
    messaging_service_sid: str | None = None
    body: str | None = None
    direction: str = ""
    date_created: str | None = None

    def is_between(self, sender: str, to: str) -> bool:
        is_ours = sender in {self.number, self.messaging_service_sid}
        return self.direction.startswith("outbound") and self.to == to and is_ours


class _Page(msgspec.Struct):
    messages: list[_Message]
    next_page_uri: str | None = None


class _Account(_Refusal):
    status: str | int = ""


class TwilioProvider(Provider):
    name = "twilio"
    channels = frozenset({Channel.SMS})
    fan_out = 16
    # a country or a route that this account does not serve: another one may
    soft_config = frozenset({"21408", "21612"})
    has_receipts = True
    has_look_up = True
    # an answer in JSON is noted as an error in Twilio's console (12300); an empty TwiML says: send nothing back
    thanks = (200, "text/xml", b'<?xml version="1.0" encoding="UTF-8"?><Response/>')
    kinds = {code: kind for kind, codes in CODES.items() for code in codes.split()}
    # a second POST is a second SMS: only 503 says that nothing was taken
    statuses = {status: OutcomeKind.AMBIGUOUS for status in range(500, 600) if status != 503} | {
        404: OutcomeKind.MISCONFIGURED
    }

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        (message,) = messages
        return written(account, lambda client: client.messages.create(**self.parameters(account, message)))

    def parameters(self, account: Account, message: OutboundMessage) -> dict[str, Any]:
        """What `messages.create` is given. Raises UntranslatableError."""
        sender = message.sender or account.sender
        by = "messaging_service_sid" if MESSAGING_SERVICE.fullmatch(sender) else "from_"
        found: dict[str, Any] = {"to": self.carried(message.address), by: self.carried(sender) or None}
        if account.receipts_url:
            found["status_callback"] = f"{account.receipts_url}?reference={message.reference}#{RETRIES}"
        most = _whole(account.settings.get("validity_period"), LONGEST_VALIDITY)
        if message.ttl is not None or most < LONGEST_VALIDITY:
            found["validity_period"] = max(1, min(message.ttl or most, most))
        if isinstance(smart := account.settings.get("smart_encoded"), bool):
            found["smart_encoded"] = smart
        return found | self.content(account, message)

    def carried(self, address: str) -> str:
        """An address as Twilio wants it for the channel."""
        return address

    def content(self, account: Account, message: OutboundMessage) -> dict[str, Any]:
        """Raises UntranslatableError."""
        body = message.content.get("body", "")
        if not body:
            raise UntranslatableError("There is no text.")
        if len(body) > MOST_CHARACTERS:
            raise UntranslatableError(f"The text has {len(body)} characters; Twilio takes {MOST_CHARACTERS}.")
        return {"body": body}

    def authorize(self, account: Account, request: HttpRequest, deadline: Deadline) -> HttpRequest:
        """The SDK has written the credentials; here it is only seen that there are any."""
        if not (account.credentials.get("account_sid") and all(login(account))):
            raise NotSentError(OutcomeKind.MISCONFIGURED, "no_credentials", "Give account_sid and auth_token.")
        return request

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        taken = msgspec.json.decode(response.body, type=_Message)
        if not taken.sid:
            raise UnreadableError("there is no message id")
        if taken.status in FAILED:
            code = str(taken.error_code or taken.status)
            return [Outcome(self.kinds.get(code, OutcomeKind.REJECTED), code, provider_message_id=taken.sid)]
        return [Outcome(OutcomeKind.ACCEPTED, provider_message_id=taken.sid)]

    def error_code(self, response: HttpResponse) -> str:
        return str(msgspec.json.decode(response.body, type=_Refusal).code or "")

    def reconsider(self, account: Account, request: HttpRequest, outcomes: list[Outcome]) -> list[Outcome]:
        if not SHORT_CODE.fullmatch(account.sender):
            return outcomes
        return [structs.replace(o, kind=SHORT_CODE_KINDS.get(o.code, o.kind)) for o in outcomes]

    def look_up(self, account: Account, message: OutboundMessage, since: datetime, deadline: Deadline) -> str | None:
        """By number, sender and time, and by the text where it is at hand: Twilio's list does not show the callback that carries
        our id. It has none when, once the request cannot be under way any more, its time shows nothing for that number."""
        to, sender = self.carried(message.address), self.carried(message.sender or account.sender)
        request = written(account, lambda client: client.messages.page(to=to, page_size=PAGE))
        found = exchange(account, request, deadline)
        if isinstance(found, Fault) or not found.is_success:
            return None
        try:
            page = msgspec.json.decode(found.body, type=_Page)
            made = [(parsedate_to_datetime(one.date_created or ""), one) for one in page.messages]
            later = [(at, one) for at, one in made if at >= since - SKEW]
        except (ValueError, TypeError):
            return None
        ours = [one for at, one in later if at <= since + SETTLED and one.is_between(sender, to)]
        body = message.content.get("body")
        same = [one.sid for one in ours if body is None or one.body == body]
        is_whole = page.next_page_uri is None or len(later) < len(made)
        if not ours and is_whole and clock.now() - since >= SETTLED:
            return ""
        return same[0] if len(same) == 1 else None

    def check_credentials(self, account: Account, deadline: Deadline) -> Outcome | None:
        sid = account.credentials.get("account_sid", "")
        try:
            request = written(account, lambda client: client.api.accounts(sid).fetch())
            found = exchange(account, self.authorize(account, request, deadline), deadline)
        except NotSentError as error:
            return error.outcome
        if isinstance(found, Fault):
            return Outcome(FAULT_KINDS[found.code], found.code, found.detail)
        try:
            said = msgspec.json.decode(found.body, type=_Account)
        except ValueError:
            said = _Account()
        if not found.is_success:
            return self.outcome(
                str(said.code or found.status), found, detail="Look at account SID and token (or API key)."
            )
        if said.status != "active":
            return Outcome(OutcomeKind.MISCONFIGURED, "20005", f"Twilio calls the account {said.status or 'nothing'}.")
        return Outcome(OutcomeKind.ACCEPTED, detail="The account is active.")

    def verify(self, account: Account, call: ProviderCall, now: datetime) -> bool:
        """The signature covers URL and form, not the time: a replay is stopped by the receipts' ids.
        https://www.twilio.com/docs/usage/security#validating-requests"""
        algorithm = get_signature_algorithm(call.headers.get("x-twilio-webhooks-signature-settings", "")).upper()
        signature = call.headers.get("x-twilio-signature", "")
        if algorithm not in {HMAC_SHA1, HMAC_SHA256} or not signature.isascii():
            return False
        try:
            form = _form(call)
        except UnreadableError:
            return False
        secrets = account.webhook_secrets or (account.credentials.get("auth_token", ""),)
        return any(
            RequestValidator(secret).validate(url, form, signature, algorithm)
            for secret in secrets
            if secret
            for url in (call.url, f"{call.url}#{RETRIES}")
        )

    def parse_receipts(self, account: Account, call: ProviderCall) -> list[Receipt]:
        form = _form(call)
        if not (sid := form.get("MessageSid", "")):
            raise UnreadableError("there is no MessageSid")
        status = form.get("MessageStatus", "")
        if status not in EVENTS:
            return []
        reference = parse_qs(urlsplit(call.url).query).get("reference", [""])[0]
        error = form.get("ErrorCode", "") if status in FAILED else ""
        receipt = Receipt(f"{sid}-{status}", EVENTS[status], call.received_at or clock.now(), reference, sid)
        if status == "partially_delivered":
            return [replace(receipt, code=status)]
        if status not in FAILED:
            return [receipt]
        receipt = replace(
            receipt, code=error or status, detail=f"Twilio: {status}" + (f", error {error}" if error else "")
        )
        is_short = SHORT_CODE.fullmatch(form.get("From", "")) is not None
        match SHORT_CODE_KINDS.get(error) if is_short and error in SHORT_CODE_KINDS else self.kinds.get(error):
            case OutcomeKind.INVALID_ADDRESS:
                return [replace(receipt, code=OutcomeKind.INVALID_ADDRESS.value)]
            case OutcomeKind.OPTED_OUT:
                return [receipt, replace(receipt, kind=EventKind.OPTED_OUT, event_id=f"{receipt.event_id}-opted_out")]
            case _:
                return [receipt]

    def parse_inbound(self, account: Account, call: ProviderCall) -> list[InboundText]:
        form = _form(call)
        if form.get("SmsStatus") != "received" or "Body" not in form:
            return []
        keyword = form.get("OptOutType", "").lower()
        address = form.get("From", "").rpartition(":")[2]
        at = call.received_at or clock.now()
        text, sid = form.get("Body", ""), form.get("MessageSid", "")
        return [InboundText(sid, at, address, text, keyword if keyword in KEYWORDS else "")]


def _form(call: ProviderCall) -> QueryDict:
    try:
        return QueryDict(call.body)
    except (SuspiciousOperation, ValueError) as error:
        raise UnreadableError("this is no form") from error


def _whole(value: object, default: int) -> int:
    return min(max(value, 1), LONGEST_VALIDITY) if isinstance(value, int) and not isinstance(value, bool) else default
