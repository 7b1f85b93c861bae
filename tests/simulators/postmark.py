"""Postmark's Email API and its webhooks (Postmark developer documentation: Email API, API overview, Webhooks)."""

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import getaddresses
from hashlib import sha256
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from apps.core.types import ProviderCall
from tests.simulators.base import Reply, Request, Simulator, Taken
from tests.simulators.behaviour import retry_after_header

TOKEN = "11111111-2222-3333-4444-555555555555"
DOMAIN = "acme.test"
LOGIN = "postmark:simulated"
STREAMS = frozenset({"outbound", "broadcast"})
MOST_MESSAGES, MOST_BYTES, MOST_BATCH_BYTES = 500, 10_000_000, 50_000_000
INACTIVE = (
    "You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: {}. "
    "Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression."
)
MAINTENANCE = {"ErrorCode": 100, "Message": "The Postmark API is offline for maintenance. Please try again later."}
BOUNCES: dict[str, tuple[str, int, str]] = {
    "bounced": ("HardBounce", 1, "smtp;550 5.1.1 no such user"),
    "soft_bounced": ("SoftBounce", 4096, "smtp;552 5.2.2 mailbox full"),
    "deferred": ("Transient", 2, "smtp;451 4.3.0 try again later"),
    "failed": ("Blocked", 16, "smtp;554 5.7.1 blocked"),
}
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{}|~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def call(url: str, event: Mapping[str, Any], *, login: str = LOGIN) -> ProviderCall:
    """As Postmark makes it to a URL with user and password."""
    headers = {
        "content-type": "application/json",
        "user-agent": "Postmark",
        "authorization": f"Basic {b64encode(login.encode()).decode()}",
    }
    return ProviderCall(url, headers, msgspec.json.encode(event))


class Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class PostmarkSimulator(Simulator):
    """`inactive`: addresses on the suppression list."""

    name = "postmark"
    channel = "email"
    credentials: ClassVar[dict[str, str]] = {"server_token": TOKEN}
    settings: ClassVar[dict[str, Any]] = {"streams": {"marketing": "broadcast"}}
    webhook_secrets = (LOGIN,)
    sender = f"Acme <hello@{DOMAIN}>"

    def __init__(self, delivery_type: str = "Live") -> None:
        super().__init__()
        self.delivery_type = delivery_type
        self.inactive: set[str] = set()

    def reply(self, request: Request) -> Reply:
        given = request.headers.get("x-postmark-server-token", "")
        if given != TOKEN:
            words = "No Account or Server API tokens were supplied in the HTTP headers."
            wrong = "The Server Token you provided in the X-Postmark-Server-Token request header was invalid."
            return _json(401, {"ErrorCode": 10, "Message": wrong if given else words})
        match request.method, request.path:
            case "GET", "/server":
                return _json(200, {"ID": 1, "Name": "Acme", "DeliveryType": self.delivery_type})
            case "GET", "/messages/outbound":
                return self._found(request)
            case "POST", "/email":
                return self._take_one(request)
            case "POST", "/email/batch":
                return self._take_batch(request)
        return _json(404, {"ErrorCode": 0, "Message": "Not found."})

    def fault(self, request: Request, status: int, retry_after: str) -> Reply:
        body: dict[str, Any] = {"ErrorCode": status, "Message": "Refused."}
        if status == 503:
            body = MAINTENANCE
        elif status == 429:
            body = {"ErrorCode": 429, "Message": "Rate limit exceeded. Please try again later."}
        elif status >= 500:
            return Reply(status, b"", retry_after_header(retry_after))
        return Reply(status, msgspec.json.encode(body), retry_after_header(retry_after))

    def receipt(self, taken: Taken, kind: str, at: float) -> ProviderCall | None:
        if not taken.receipts_to:
            return None
        when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        number = int(sha256(f"{taken.message_id} {kind}".encode()).hexdigest()[:12], 16)
        event: dict[str, Any] = {
            "MessageID": taken.message_id,
            "ServerID": 1,
            "MessageStream": "outbound",
            "Metadata": dict(taken.extra),
            "Tag": "transactional",
        }
        bounce = {
            "ID": number,
            "Email": taken.address,
            "BouncedAt": when,
            "Inactive": kind == "bounced",
            "Subject": "-",
        }
        match kind:
            case "delivered":
                event |= {
                    "RecordType": "Delivery",
                    "Recipient": taken.address,
                    "DeliveredAt": when,
                    "Details": "250 OK",
                }
            case "opened":
                event |= {"RecordType": "Open", "Recipient": taken.address, "ReceivedAt": when, "FirstOpen": True}
            case "clicked":
                event |= {"RecordType": "Click", "Recipient": taken.address, "ReceivedAt": when}
                event["OriginalLink"] = "https://acme.test/"
            case "complained":
                event |= {
                    "RecordType": "SpamComplaint",
                    "Type": "SpamComplaint",
                    "TypeCode": 512,
                    "Details": "",
                    **bounce,
                }
            case "opted_out":
                event |= {"RecordType": "SubscriptionChange", "Recipient": taken.address, "ChangedAt": when}
                event |= {"Origin": "Recipient", "SuppressSending": True, "SuppressionReason": "ManualSuppression"}
            case word if word in BOUNCES:
                name, code, details = BOUNCES[word]
                event |= {"RecordType": "Bounce", "Type": name, "TypeCode": code, "Details": details, **bounce}
            case _:
                return None
        return call(taken.receipts_to, event)

    def sample_address(self, number: int) -> str:
        return f"rosa{number}@example.com"

    def _found(self, request: Request) -> Reply:
        asked = request.query
        if "count" not in asked or "offset" not in asked:
            return _json(422, {"ErrorCode": 700, "Message": "You must provide a value for 'count' and 'offset'."})
        wanted = {
            name.removeprefix("metadata_"): value for name, value in asked.items() if name.startswith("metadata_")
        }
        found = [one for one in self.taken if wanted.items() <= one.extra.items()]
        shown = [{"MessageID": one.message_id, "Metadata": dict(one.extra), "Status": "Sent"} for one in found]
        return _json(200, {"TotalCount": len(found), "Messages": shown[: int(asked["count"])]})

    def is_message(self, request: Request) -> bool:
        return request.method == "POST"

    def _take_one(self, request: Request) -> Reply:
        try:
            mail = msgspec.json.decode(request.body, type=dict[str, Any])
        except msgspec.DecodeError:
            return _json(422, {"ErrorCode": 402, "Message": "Received invalid JSON input."})
        seen, result = self._result(mail, request, 0)
        is_taken = result["ErrorCode"] == 0
        body = msgspec.json.encode(result)
        return Reply(200, body, taken=[seen]) if is_taken else Reply(422, body, refused=[seen])

    def _take_batch(self, request: Request) -> Reply:
        if len(request.body) > MOST_BATCH_BYTES:
            return _json(413, {"ErrorCode": 0, "Message": "Request entity too large."})
        try:
            mails = msgspec.json.decode(request.body, type=list[dict[str, Any]])
        except msgspec.DecodeError:
            return _json(422, {"ErrorCode": 402, "Message": "Received invalid JSON input."})
        if len(mails) > MOST_MESSAGES:
            words = f"You may only send up to {MOST_MESSAGES} messages in a single batch request."
            return _json(422, {"ErrorCode": 410, "Message": words})
        found = [self._result(mail, request, place) for place, mail in enumerate(mails)]
        return Reply(
            200,
            msgspec.json.encode([result for _, result in found]),
            taken=[seen for seen, result in found if result["ErrorCode"] == 0],
            refused=[seen for seen, result in found if result["ErrorCode"] != 0],
        )

    def _result(self, mail: dict[str, Any], request: Request, place: int) -> tuple[Taken, dict[str, Any]]:
        to = str(mail.get("To", ""))
        metadata = {str(name): str(value) for name, value in (mail.get("Metadata") or {}).items()}
        headers = {str(h.get("Name", "")).lower(): str(h.get("Value", "")) for h in mail.get("Headers") or ()}
        own = str(UUID(bytes=sha256(f"{request.number} {place} {to}".encode()).digest()[:16], version=4))
        kept = headers.get("message-id", "") if headers.get("x-pm-keepid", "").lower() == "true" else ""
        delivery = kept.strip("<>").partition("@")[0]
        address = getaddresses([to])[0][1] if to else ""
        seen = Taken(metadata.get("notifier_reference", ""), own, address, delivery, extra=metadata)
        try:
            self._check(mail, metadata)
        except Refused as refused:
            return seen, {"ErrorCode": refused.code, "Message": str(refused)}
        at = datetime.now(UTC).isoformat()
        return seen, {"To": to, "SubmittedAt": at, "MessageID": own, "ErrorCode": 0, "Message": "OK"}

    def _check(self, mail: dict[str, Any], metadata: Mapping[str, str]) -> None:
        """In Postmark's own words. Raises Refused."""
        if len(msgspec.json.encode(mail)) > MOST_BYTES:
            raise Refused(300, "The message is larger than 10 MB.")
        _, sender = (getaddresses([str(mail.get("From", ""))]) or [("", "")])[0]
        if not _EMAIL.fullmatch(sender):
            raise Refused(300, f"Invalid 'From' address: '{mail.get('From', '')}'.")
        if not sender.endswith(f"@{DOMAIN}"):
            raise Refused(400, f"The 'From' address you supplied ({sender}) is not a Sender Signature on your account.")
        if mail.get("MessageStream", "outbound") not in STREAMS:
            raise Refused(1235, "The 'MessageStream' provided does not exist on this server.")
        recipients = getaddresses([str(mail.get(field) or "") for field in ("To", "Cc", "Bcc") if mail.get(field)])
        if not recipients:
            raise Refused(300, "Zero recipients specified")
        if len(recipients) > 50:
            raise Refused(300, "Maximum of 50 recipients allowed per email message.")
        for _, address in recipients:
            if not _EMAIL.fullmatch(address):
                raise Refused(300, f"Invalid 'To' address: '{address}'.")
            if address.lower() in self.inactive:
                raise Refused(406, INACTIVE.format(address.lower()))
        if not (mail.get("TextBody") or mail.get("HtmlBody")):
            raise Refused(300, "Provide either email TextBody or HtmlBody or both.")
        if len(str(mail.get("Subject", ""))) > 2000 or len(str(mail.get("Tag", ""))) > 1000:
            raise Refused(300, "The subject or the tag is too long.")
        if len(metadata) > 10 or any(len(name) > 20 or len(value) > 80 for name, value in metadata.items()):
            raise Refused(300, "Invalid metadata content.")
        if mail.get("TrackLinks", "None") not in {"None", "HtmlAndText", "HtmlOnly", "TextOnly"}:
            raise Refused(300, "Invalid 'TrackLinks' value.")


def _json(status: int, value: object) -> Reply:
    return Reply(status, msgspec.json.encode(value))
