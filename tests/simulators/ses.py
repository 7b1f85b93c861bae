"""Amazon SES v2: SendEmail with raw mail, GetAccount; and the SNS topic that its events go to, certificate included.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html. Signature Version 4 is checked by hand:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import NAMESPACE_URL, uuid4, uuid5

import msgspec

from apps.core.types import ProviderCall
from tests.simulators import sns
from tests.simulators.base import Reply, Request, Simulator, Taken

REGION = "eu-west-1"
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CONFIGURATION_SET, VERIFIED = "notifier", "acme.test"
TAG, HEADER = "notifier_reference", "X-Notifier-Reference"
MOST_BYTES, MOST_RECIPIENTS = 40 * 1024 * 1024, 50
TAG_WORD = re.compile(r"[A-Za-z0-9_-]{1,256}")
ADDRESS = re.compile(r"[!#$%&'*+/=?^_`{|}~0-9A-Za-z.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)"
)
# status: the error's name and words, as SES gives them
FAULTS = {
    429: ("TooManyRequestsException", "Maximum sending rate exceeded."),
    403: ("UnrecognizedClientException", "The security token included in the request is invalid."),
    500: ("InternalFailure", "We encountered an internal error. Please try again."),
    503: ("ServiceUnavailable", "Service is unable to handle request."),
}
# an EventKind's value: the event's name, and what it says of itself
EVENTS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "sent": ("Send", "send", {}),
    "delivered": (
        "Delivery",
        "delivery",
        {"processingTimeMillis": 1200, "smtpResponse": "250 ok", "reportingMTA": "mta.example.com"},
    ),
    "deferred": ("DeliveryDelay", "deliveryDelay", {"delayType": "TransientCommunicationFailure"}),
    "bounced": ("Bounce", "bounce", {"bounceType": "Permanent", "bounceSubType": "NoEmail"}),
    "soft_bounced": ("Bounce", "bounce", {"bounceType": "Transient", "bounceSubType": "MailboxFull"}),
    "complained": ("Complaint", "complaint", {"complaintSubType": None, "complaintFeedbackType": "abuse"}),
    "failed": ("Reject", "reject", {"reason": "Bad content"}),
    "opened": ("Open", "open", {"ipAddress": "192.0.2.1", "userAgent": "Mozilla/5.0"}),
    "clicked": ("Click", "click", {"ipAddress": "192.0.2.1", "userAgent": "Mozilla/5.0", "link": "https://acme.test/"}),
    "opted_out": (
        "Subscription",
        "subscription",
        {"source": "UnsubscribeHeader", "newTopicPreferences": {"unsubscribeAll": True}},
    ),
}


class SesSimulator(Simulator):
    name = "ses"
    channel = "email"
    sender = f"Acme <hello@{VERIFIED}>"

    def __init__(self, token: str = "", rate: str = "14") -> None:
        super().__init__()
        self.signer = sns.Signer()
        self.credentials = {"access_key_id": KEY, "secret_access_key": SECRET} | (
            {"session_token": token} if token else {}
        )
        self.rate = float(rate)
        self.confirmed: list[str] = []
        self.state: dict[str, Any] = {}

    @property
    def settings(self) -> Mapping[str, Any]:  # type: ignore[override]
        own = {"topic_arns": [sns.TOPIC], "sns_url": self.url}
        return {"region": REGION, "configuration_set": CONFIGURATION_SET, **own}

    def is_message(self, request: Request) -> bool:
        return request.path == "/v2/email/outbound-emails"

    def fault(self, request: Request, status: int, retry_after: str) -> Reply:
        name, words = FAULTS.get(status, ("BadRequestException", "No."))
        return _error(status, name, words)

    def sample_address(self, number: int) -> str:
        return f"rosa{number}@example.com"

    def reply(self, request: Request) -> Reply:
        match request.method, request.path:
            case "GET", sns.PATH:
                return Reply(200, self.signer.certificate, {"Content-Type": "binary/octet-stream"})
            case "GET", "/" if request.query.get("Action") == "ConfirmSubscription":
                self.confirmed.append(request.query["TopicArn"])
                return Reply(200, b"<ConfirmSubscriptionResponse/>", {"Content-Type": "text/xml"})
        if error := unsigned(request, self.credentials, datetime.now(UTC)):
            return error
        match request.method, request.path:
            case "POST", "/v2/email/outbound-emails":
                return self._send(request)
            case "GET", "/v2/email/account":
                return Reply(200, msgspec.json.encode(self._account()))
        return _error(404, "UnknownOperationException", "")

    def receipt(self, taken: Taken, kind: str, at: float) -> ProviderCall | None:
        if kind not in EVENTS or not taken.receipts_to:
            return None
        moment = datetime.fromtimestamp(at, UTC)
        own_id = str(uuid5(NAMESPACE_URL, f"{taken.message_id} {kind}"))
        message = msgspec.json.encode(event(taken, kind, moment)).decode()
        fields = sns.note(message, origin=self.url, at=moment, message_id=own_id)
        return sns.call(self.signer, taken.receipts_to, fields)

    def forged(self, call: ProviderCall) -> ProviderCall:
        """By somebody with a key of his own."""
        fields = msgspec.json.decode(call.body, type=dict[str, str])
        del fields["Signature"]
        return sns.call(_forger(), call.url, fields)

    def _account(self) -> Mapping[str, Any]:
        quota = {"Max24HourSend": 50_000.0, "MaxSendRate": self.rate, "SentLast24Hours": float(self.taken_count)}
        state = {"SendingEnabled": True, "ProductionAccessEnabled": True, "EnforcementStatus": "HEALTHY"}
        return {"DedicatedIpAutoWarmupEnabled": False, **state, "SendQuota": quota, **self.state}

    def _send(self, request: Request) -> Reply:
        said = msgspec.json.decode(request.body, type=dict[str, Any])
        raw = said.get("Content", {}).get("Raw", {}).get("Data")
        if not raw:
            return _error(400, "BadRequestException", "Content is missing a raw message.")
        mail = message_from_bytes(b64decode(raw, validate=True), policy=policy.SMTP)
        assert isinstance(mail, EmailMessage)
        destination = said.get("Destination", {})
        to = [one for field in ("ToAddresses", "CcAddresses", "BccAddresses") for one in destination.get(field, [])]
        taken = Taken(
            _reference(said, mail), "", to[0] if to else "", str(mail["Message-ID"] or "").strip("<>").partition("@")[0]
        )
        if error := _refusal(said, raw, mail, to):
            return Reply(error.status, error.body, error.headers, refused=[taken])
        own_id = f"0102018b{uuid4().hex[:8]}-{uuid4()}-000000"
        one = Taken(taken.reference, own_id, taken.address, taken.delivery, extra={"from": str(mail["From"])})
        return Reply(200, msgspec.json.encode({"MessageId": own_id}), taken=[one])


def event(taken: Taken, kind: str, at: datetime) -> dict[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html"""
    name, part, more = EVENTS[kind]
    people = {"bounce": "bouncedRecipients", "complaint": "complainedRecipients", "deliveryDelay": "delayedRecipients"}
    said = dict(more) | ({} if part in {"send", "reject"} else {"timestamp": sns.stamp(at)})
    if part in people:
        said[people[part]] = [{"emailAddress": taken.address} | ({"status": "5.1.1"} if part == "bounce" else {})]
    if part == "delivery":
        said["recipients"] = [taken.address]
    mail = {
        "timestamp": sns.stamp(at),
        "messageId": taken.message_id,
        "source": taken.extra.get("from", ""),
        "sendingAccountId": "123456789012",
        "destination": [taken.address],
        "headersTruncated": False,
        "headers": [{"name": HEADER, "value": taken.reference}],
        "tags": {"ses:configuration-set": [CONFIGURATION_SET], TAG: [taken.reference]},
    }
    return {"eventType": name, "mail": mail, part: said}


def unsigned(request: Request, credentials: Mapping[str, str], now: datetime) -> Reply | None:
    """The refusal of a request that is not signed as it must be."""
    found = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        return _error(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    key, day, region, service, names, signature = found.groups()
    stamp = request.headers.get("x-amz-date", "")
    if key != credentials["access_key_id"] or request.headers.get("x-amz-security-token", "") != credentials.get(
        "session_token", ""
    ):
        return _error(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    if abs((datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) - now).total_seconds()) > 300:
        return _error(403, "InvalidSignatureException", f"Signature expired: {stamp} is now earlier than allowed.")
    must = {"host", "x-amz-date"} | ({"x-amz-security-token"} if "session_token" in credentials else set())
    if not must <= set(names.split(";")) or (region, service, day) != (REGION, "ses", stamp[:8]):
        return _error(403, "InvalidSignatureException", "Credential should be scoped to a valid region and service.")
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, sha256(_canonical(request, names).encode()).hexdigest()])
    secret = f"AWS4{credentials['secret_access_key']}".encode()
    for part in (day, region, service, "aws4_request"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(secret, text.encode(), "sha256").hex(), signature):
        words = "The request signature we calculated does not match the signature you provided."
        return _error(403, "InvalidSignatureException", words)
    return None


def _canonical(request: Request, names: str) -> str:
    query = "&".join(sorted(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in request.query.items()))
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names.split(";"))
    path = quote(urlsplit(request.target).path or "/", safe="/-_.~")
    return "\n".join([request.method, path, query, headers, names, sha256(request.body).hexdigest()])


def _refusal(said: Mapping[str, Any], raw: str, mail: EmailMessage, to: list[str]) -> Reply | None:
    if len(raw) > MOST_BYTES:
        return _error(400, "BadRequestException", f"Message length is more than {MOST_BYTES} bytes long: {len(raw)}.")
    if not 0 < len(to) <= MOST_RECIPIENTS:
        return _error(400, "BadRequestException", f"Recipient count exceeds {MOST_RECIPIENTS}.")
    if not all(ADDRESS.fullmatch(address) for address in to):
        return _error(400, "BadRequestException", "Local address contains control or whitespace")
    for tag in said.get("EmailTags", []):
        if not (TAG_WORD.fullmatch(tag["Name"]) and TAG_WORD.fullmatch(tag["Value"])):
            return _error(
                400, "BadRequestException", "Tag names and values contain only alphanumeric characters, _ and -."
            )
    if said.get("ConfigurationSetName", CONFIGURATION_SET) != CONFIGURATION_SET:
        return _error(404, "NotFoundException", f"Configuration set <{said['ConfigurationSetName']}> does not exist.")
    senders = getaddresses([str(mail["From"] or "")])
    if len(senders) != 1 or any(
        mail.get_all(name, []) == [] for name in ("From", "To", "Subject", "Date", "MIME-Version")
    ):
        return _error(400, "BadRequestException", "Missing required header.")
    if not senders[0][1].endswith(f"@{VERIFIED}"):
        words = f"Email address is not verified. The following identities failed the check in region {REGION.upper()}: {senders[0][1]}"
        return _error(400, "MessageRejected", words)
    if mail.defects or any(part.defects for part in mail.walk()):
        return _error(400, "BadRequestException", "Invalid MIME.")
    return None


def _reference(said: Mapping[str, Any], mail: EmailMessage) -> str:
    """Where both say it they say the same."""
    tagged = [tag["Value"] for tag in said.get("EmailTags", []) if tag["Name"] == TAG]
    headed = [str(value) for value in mail.get_all(HEADER, [])]
    return tagged[0] if tagged and tagged == headed else ""


def _error(status: int, name: str, words: str) -> Reply:
    headers = {"x-amzn-ErrorType": name, "x-amzn-RequestId": str(uuid4())}
    return Reply(status, msgspec.json.encode({"message": words}), headers)


def _forger() -> sns.Signer:
    global _other
    _other = _other or sns.Signer()
    return _other


_other: sns.Signer | None = None
