"""Twilio's Messages resource, for SMS and for WhatsApp: form in, JSON out, signed status callbacks and inbound texts.

https://www.twilio.com/docs/messaging/api/message-resource; numbers with a meaning of their own:
https://www.twilio.com/docs/iam/test-credentials#test-sms-messages. Signatures are made by hand, not by the SDK.
"""

import hmac
import re
from base64 import b64encode
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5
from time import time
from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from apps.core.types import ProviderCall
from tests.simulators.base import Reply, Request, Simulator, Taken

SID = "AC" + "0123456789abcdef" * 2
TOKEN = "12345678901234567890123456789012"
KEY, SECRET = "SK" + "fedcba9876543210" * 2, "api-key-secret"
NUMBER = "+15005550006"
TO = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
FROM = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
# what a receipt's kind is in Twilio's words: MessageStatus, ErrorCode
WORDS = {
    "sent": ("sent", ""),
    "delivered": ("delivered", ""),
    "opened": ("read", ""),
    "failed": ("undelivered", "30003"),
    "bounced": ("undelivered", "30005"),
    "opted_out": ("undelivered", "21610"),
}
FAULTS = {429: 20429, 500: 20500, 503: 20503}
E164 = re.compile(r"\+[1-9]\d{6,14}")
SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|[A-Za-z][A-Za-z0-9 ]{0,10}")
SERVICE, TEMPLATE = re.compile(r"MG[0-9a-f]{32}"), re.compile(r"HX[0-9a-f]{32}")
PREFIX = "whatsapp:"


class TwilioSimulator(Simulator):
    name = "twilio"
    channel = "sms"
    credentials: ClassVar = {"account_sid": SID, "auth_token": TOKEN}
    sender = NUMBER

    def reply(self, request: Request) -> Reply:
        if not (request.basic(SID, TOKEN) or request.basic(KEY, SECRET)):
            return refusal(401, 20003, "Authenticate")
        match request.method, request.path.removeprefix(f"/2010-04-01/Accounts/{SID}"):
            case "POST", "/Messages.json":
                return self._create(request)
            case "GET", "/Messages.json":
                return self._list(request)
            case "GET", ".json":
                return Reply(200, msgspec.json.encode({"sid": SID, "status": "active", "type": "Full"}))
        return refusal(404, 20404, f"The requested resource {request.path} was not found")

    def is_message(self, request: Request) -> bool:
        return request.method == "POST"

    def fault(self, request: Request, status: int, retry_after: str) -> Reply:
        headers = {"Retry-After": retry_after} if retry_after else {}
        return Reply(status, refusal(status, FAULTS.get(status, 20000 + status), "No").body, headers)

    def sample_address(self, number: int) -> str:
        return f"+1{2020000000 + number}"

    def receipt(self, taken: Taken, kind: str, at: float) -> ProviderCall | None:
        if kind not in WORDS or not taken.receipts_to:
            return None
        status, error = WORDS[kind]
        form = {
            "ApiVersion": "2010-04-01",
            "MessageStatus": status,
            "SmsSid": taken.message_id,
            "SmsStatus": status,
            "To": taken.address,
            "From": taken.extra.get("from", NUMBER),
            "MessageSid": taken.message_id,
            "AccountSid": SID,
        }
        return signed(taken.receipts_to, form | ({"ErrorCode": error} if error else {}))

    def forged(self, call: ProviderCall) -> ProviderCall:
        return ProviderCall(call.url, {**call.headers, "x-twilio-signature": "Zm9yZ2VkZm9yZ2VkZm9yZ2Vk"}, call.body)

    def _create(self, request: Request) -> Reply:
        form = request.form()
        to, sender = form.get("To", ""), form.get("From", "")
        service, callback = form.get("MessagingServiceSid", ""), form.get("StatusCallback", "")
        reference = parse_qs(urlsplit(callback).query).get("reference", [""])[0]
        if code := _fault(request, form):
            return refusal(400, code, f"No: {code}", [Taken(reference, "", to)])
        sid = "SM" + md5(f"{request.number} {time()}".encode(), usedforsecurity=False).hexdigest()
        body = form.get("Body") or form.get("ContentVariables", "")
        extra = {"body": body, "from": sender, "at": str(time())}
        taken = Taken(reference, sid, to, "", urlsplit(callback)._replace(fragment="").geturl(), extra)
        return Reply(201, msgspec.json.encode(_resource(taken, "accepted" if service else "queued")), taken=[taken])

    def _list(self, request: Request) -> Reply:
        query = request.query
        since = query.get("DateSent>", "")
        found = [
            _resource(one, "delivered")
            for one in reversed(self.taken)
            if query.get("To") in {None, one.address} and _day(float(one.extra["at"])) >= since
        ]
        size = int(query.get("PageSize", "50"))
        more = f"{request.path}?PageSize={size}&Page=1" if len(found) > size else None
        page = {"messages": found[:size], "page": 0, "page_size": size, "next_page_uri": more}
        return Reply(200, msgspec.json.encode(page))


def refusal(status: int, code: int, message: str, refused: list[Taken] | None = None) -> Reply:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return Reply(status, msgspec.json.encode(body), refused=refused or [])


def signed(url: str, form: dict[str, str], token: str = TOKEN) -> ProviderCall:
    """https://www.twilio.com/docs/usage/security#validating-requests: the URL, then every field's name and value, sorted by name."""
    text = url + "".join(name + form[name] for name in sorted(form))
    signature = b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
        "user-agent": "TwilioProxy/1.1",
        "x-twilio-signature": signature,
    }
    return ProviderCall(url, headers, urlencode(form).encode())


def inbound(url: str, sender: str, text: str, *, sid: str, token: str = TOKEN, **more: str) -> ProviderCall:
    """What somebody sent to our number. https://www.twilio.com/docs/messaging/guides/webhook-request"""
    form = {
        "ToCountry": "US",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "SmsSid": sid,
        "SmsStatus": "received",
        "Body": text,
        "To": NUMBER,
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": SID,
        "From": sender,
        "ApiVersion": "2010-04-01",
    }
    return signed(url, form | more, token)


def _fault(request: Request, form: dict[str, str]) -> int:
    """The code of what is wrong with a message, or 0."""
    to, sender, body = form.get("To", ""), form.get("From", ""), form.get("Body", "")
    service, template = form.get("MessagingServiceSid", ""), form.get("ContentSid", "")
    is_whatsapp = to.startswith(PREFIX)
    plain = sender.removeprefix(PREFIX) if is_whatsapp else sender
    callback = urlsplit(form.get("StatusCallback", "https://x"))
    validity = form.get("ValidityPeriod", "1")
    checks = (
        (20001, not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")),
        (21604, not to),
        (21603, not sender and not service),
        (21211, not E164.fullmatch(to.removeprefix(PREFIX))),
        (TO.get(to, 0), to in TO),
        (FROM.get(sender, 0), sender in FROM),
        (21701, bool(service) and not SERVICE.fullmatch(service)),
        (63007, is_whatsapp and bool(sender) and not sender.startswith(PREFIX)),
        (21212, bool(sender) and not SENDER.fullmatch(plain)),
        (21266, to == sender),
        (21619, not body and not template),
        (21617, len(body) > 1600),
        (21655, bool(template) and not TEMPLATE.fullmatch(template)),
        (21656, bool(template) and not _is_variables(form.get("ContentVariables", "{}"))),
        (20001, not (validity.isdecimal() and 1 <= int(validity) <= 36_000)),
        (20001, form.get("SmartEncoded", "true") not in {"true", "false"}),
        (21609, callback.scheme not in {"http", "https"} or not callback.hostname or "_" in callback.hostname),
    )
    return next((code for code, is_wrong in checks if is_wrong), 0)


def _is_variables(text: str) -> bool:
    try:
        return bool(all(msgspec.json.decode(text, type=dict[str, str]).values()))
    except msgspec.DecodeError:
        return False


def _resource(taken: Taken, status: str) -> dict[str, object]:
    at = format_datetime(datetime.fromtimestamp(float(taken.extra["at"]), UTC))
    return {
        "account_sid": SID,
        "api_version": "2010-04-01",
        "body": taken.extra["body"],
        "date_created": at,
        "date_sent": at if status == "delivered" else None,
        "date_updated": at,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": taken.extra["from"] or None,
        "messaging_service_sid": None if taken.extra["from"] else "MG" + "0" * 32,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": taken.message_id,
        "status": status,
        "subresource_uris": {"media": f"/2010-04-01/Accounts/{SID}/Messages/{taken.message_id}/Media.json"},
        "tags": None,
        "to": taken.address,
        "uri": f"/2010-04-01/Accounts/{SID}/Messages/{taken.message_id}.json",
    }


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
