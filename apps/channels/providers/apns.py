"""Apple Push Notification service: push to iOS over HTTP/2, with token authentication.
https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns

Credentials: `key` (the .p8 file's text), `key_id`, `team_id`. Settings: `topic` (the app's bundle id; else `sender`),
`environment` (`production`, the default, or `sandbox`), `sound` (`default`; empty: none). One request takes one message; all
go side by side over one connection. There are no receipts: what a device does with a message it alone can tell.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec
from msgspec import structs

from apps.channels import apns_tokens, blame, http2
from apps.channels.base import (
    HttpRequest,
    HttpResponse,
    Messages,
    NotSentError,
    Provider,
    UnreadableError,
    UntranslatableError,
)
from apps.channels.collapsing import collapse_id
from apps.channels.deadlines import Deadline
from apps.channels.transport import Fault
from apps.core import clock, ids
from apps.core.enums import Category, Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome

HOSTS: Mapping[str, str] = {
    "production": "https://api.push.apple.com",
    "sandbox": "https://api.sandbox.push.apple.com",
}
MOST_PAYLOAD = 4096
URGENT = frozenset({Category.CRITICAL, Category.TRANSACTIONAL})
# how long Apple keeps a message for a device that is off, when the message itself does not say
KEPT_FOR = timedelta(days=28)
AGAIN_SOON = 1.0
NO_DEVICE = "0" * 64
_CARRIED = ("action_url", "image_url", "engagement_token")


class _Refusal(msgspec.Struct, frozen=True):
    """`timestamp`: milliseconds; since when the token is dead (410 only)."""

    reason: str = ""
    timestamp: float | None = None


class ApnsProvider(Provider):
    name = "apns"
    channels = frozenset({Channel.PUSH})
    platforms = frozenset({"ios"})
    fan_out = 64
    kinds: ClassVar[Mapping[str, OutcomeKind]] = {
        "Unregistered": OutcomeKind.INVALID_ADDRESS,
        "ExpiredToken": OutcomeKind.INVALID_ADDRESS,
        "BadDeviceToken": OutcomeKind.INVALID_ADDRESS,
        "DeviceTokenNotForTopic": OutcomeKind.INVALID_ADDRESS,
        "PayloadTooLarge": OutcomeKind.REJECTED,
        "PayloadEmpty": OutcomeKind.REJECTED,
        "BadCollapseId": OutcomeKind.REJECTED,
        "BadExpirationDate": OutcomeKind.REJECTED,
        "BadMessageId": OutcomeKind.REJECTED,
        "BadPriority": OutcomeKind.REJECTED,
        "InvalidPushType": OutcomeKind.REJECTED,
        "MissingDeviceToken": OutcomeKind.REJECTED,
        "DuplicateHeaders": OutcomeKind.REJECTED,
        "ExpiredProviderToken": OutcomeKind.MISCONFIGURED,
        "InvalidProviderToken": OutcomeKind.MISCONFIGURED,
        "MissingProviderToken": OutcomeKind.MISCONFIGURED,
        "UnrelatedKeyIdInToken": OutcomeKind.MISCONFIGURED,
        "BadEnvironmentKeyIdInToken": OutcomeKind.MISCONFIGURED,
        "BadCertificate": OutcomeKind.MISCONFIGURED,
        "BadCertificateEnvironment": OutcomeKind.MISCONFIGURED,
        "Forbidden": OutcomeKind.MISCONFIGURED,
        "MissingTopic": OutcomeKind.MISCONFIGURED,
        "BadTopic": OutcomeKind.MISCONFIGURED,
        "TopicDisallowed": OutcomeKind.MISCONFIGURED,
        "BadPath": OutcomeKind.MISCONFIGURED,
        "MethodNotAllowed": OutcomeKind.MISCONFIGURED,
        "TooManyProviderTokenUpdates": OutcomeKind.THROTTLED,
        "TooManyRequests": OutcomeKind.THROTTLED,
        "InternalServerError": OutcomeKind.TRANSIENT,
        "ServiceUnavailable": OutcomeKind.PROVIDER_DOWN,
        "Shutdown": OutcomeKind.PROVIDER_DOWN,
        "IdleTimeout": OutcomeKind.PROVIDER_DOWN,
    }
    statuses: ClassVar[Mapping[int, OutcomeKind]] = {
        404: OutcomeKind.MISCONFIGURED,
        405: OutcomeKind.MISCONFIGURED,
        410: OutcomeKind.INVALID_ADDRESS,
    }
    # seconds to wait where Apple does not say: it counts new tokens by 20 minutes, and messages by device
    waits: ClassVar[Mapping[str, float]] = {"TooManyProviderTokenUpdates": 300.0, "TooManyRequests": 30.0}
    throttled_alone: ClassVar[frozenset[str]] = frozenset({"TooManyRequests", "ExpiredProviderToken"})
    # said of one token, or of ours: the first few in a row are believed
    doubtful: ClassVar[frozenset[str]] = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic"})

    def split(self, account: Account, messages: Messages) -> list[list[OutboundMessage]]:
        """One connection carries them all: its size bounds nothing."""
        size = min(account.batch_size or self.fan_out, self.fan_out)
        return [list(messages[start : start + size]) for start in range(0, len(messages), size)]

    def call(self, account: Account, messages: Messages, deadline: Deadline) -> list[Outcome]:
        """As the base has it, over HTTP/2."""
        started = monotonic()
        outcomes: dict[int, Outcome] = {}
        requests: dict[int, HttpRequest] = {}
        for place, message in enumerate(messages):
            request, refused = self._translate(account, [message])
            if request is None:
                outcomes[place] = refused[0]
                continue
            try:
                requests[place] = self.authorize(account, request, deadline)
            except NotSentError as error:
                outcomes[place] = _seen(error.outcome, 0, started)
        group = apns_tokens.identity(account)
        answers = http2.exchange_all(account, list(requests.values()), deadline, group=group) if requests else []
        for (place, request), answer in zip(requests.items(), answers, strict=True):
            (outcome,) = self.reconsider(account, request, self._read([messages[place]], answer))
            outcomes[place] = _seen(outcome, 0 if isinstance(answer, Fault) else answer.status, started)
        return [outcomes[place] for place in range(len(messages))]

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        (message,) = messages
        headers = {
            "apns-id": _apns_id(message),
            "apns-topic": str(account.settings.get("topic") or account.sender),
            "apns-push-type": "alert",
            "apns-priority": "10" if message.category in URGENT else "5",
            "apns-collapse-id": _collapse_id(message),
            "content-type": "application/json",
        }
        if message.expires_at:
            headers["apns-expiration"] = str(int(message.expires_at.timestamp()))
        base = account.base_url or HOSTS.get(str(account.settings.get("environment", "production")), "")
        return HttpRequest(f"{base}/3/device/{quote(message.address, safe='')}", _payload(account, message), headers)

    def authorize(self, account: Account, request: HttpRequest, deadline: Deadline) -> HttpRequest:
        if not request.headers["apns-topic"]:
            raise NotSentError(OutcomeKind.MISCONFIGURED, "no_topic", "The account's settings need the app's topic.")
        now = clock.now()
        until = str(int((now + KEPT_FOR).timestamp()))
        token = apns_tokens.token(account, now)
        return replace(
            request, headers={"apns-expiration": until, **request.headers, "authorization": f"bearer {token}"}
        )

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        """Apple says yes with an empty body and our own id."""
        own_id = response.headers.get("apns-id", "").lower()
        if response.body or own_id != _apns_id(messages[0]):
            raise UnreadableError("not an answer of APNs to this message")
        return [Outcome(OutcomeKind.ACCEPTED, provider_message_id=own_id)]

    def parse_refusal(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        refusal = msgspec.json.decode(response.body, type=_Refusal) if response.body else _Refusal()
        outcome = self.outcome(refusal.reason or str(response.status), response)
        if outcome.retry_after is None and outcome.kind is OutcomeKind.THROTTLED:
            outcome = structs.replace(outcome, retry_after=self.waits.get(refusal.reason))
        if outcome.kind is OutcomeKind.INVALID_ADDRESS and refusal.timestamp:
            since = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=refusal.timestamp)
            outcome = structs.replace(outcome, dead_since=since)
        return [outcome]

    def reconsider(self, account: Account, request: HttpRequest, outcomes: list[Outcome]) -> list[Outcome]:
        """An expired provider token refuses no message: another one is made with the next call."""
        (outcome,) = outcomes
        if outcome.kind is OutcomeKind.ACCEPTED:
            blame.note_success(account.id)
        elif outcome.code == "ExpiredProviderToken":
            token = request.headers["authorization"].removeprefix("bearer ")
            if apns_tokens.is_replaced(account, token, clock.now()):
                return [structs.replace(outcome, kind=OutcomeKind.THROTTLED, retry_after=AGAIN_SOON)]
        elif outcome.code in self.doubtful and blame.is_ours(account.id):
            return [structs.replace(outcome, kind=OutcomeKind.MISCONFIGURED)]
        return outcomes

    def check_credentials(self, account: Account, deadline: Deadline) -> Outcome | None:
        """Apple looks at the key first and at the device token then: one that no device has is refused only for itself."""
        own_id = ids.show(ids.ATTEMPT, ids.new())
        message = OutboundMessage(
            reference=own_id,
            delivery=own_id,
            tenant="",
            channel=Channel.PUSH,
            category=Category.MARKETING,
            address=NO_DEVICE,
            platform="ios",
            sender="",
            content={"title": "Check"},
        )
        try:
            request = self.authorize(account, self.build(account, [message]), deadline)
        except NotSentError as error:
            return error.outcome
        group = apns_tokens.identity(account)
        (answer,) = http2.exchange_all(account, [request], deadline, group=group)
        (outcome,) = self._read([message], answer)
        if outcome.kind in {OutcomeKind.INVALID_ADDRESS, OutcomeKind.ACCEPTED}:
            return Outcome(OutcomeKind.ACCEPTED, detail="Apple knows the key and the topic.")
        return outcome


def _apns_id(message: OutboundMessage) -> str:
    """The attempt's own UUID: Apple gives it back. Raises UntranslatableError."""
    found = ids.read(ids.ATTEMPT, message.reference)
    if found is None:
        raise UntranslatableError("The message has no reference of ours.")
    return str(found)


def _collapse_id(message: OutboundMessage) -> str:
    """As a header can have it."""
    name = collapse_id(message)
    return name if name.isascii() and name.isprintable() else sha256(name.encode()).hexdigest()


def _payload(account: Account, message: OutboundMessage) -> bytes:
    """Raises UntranslatableError."""
    content = message.content
    alert = {name: content[name] for name in ("title", "subtitle", "body") if content.get(name)}
    if not alert:
        raise UntranslatableError("A push message needs a title or a body.")
    aps: dict[str, Any] = {"alert": alert}
    badge = content.get("badge", "")
    if badge.isascii() and badge.isdecimal():
        aps["badge"] = int(badge)
    sound = str(account.settings.get("sound", "default"))
    if sound and message.category in URGENT:
        aps["sound"] = sound
    payload: dict[str, Any] = {"aps": aps, "reference": message.reference, "delivery": message.delivery}
    if content.get("image_url"):
        aps["mutable-content"] = 1
    payload |= {name: content[name] for name in _CARRIED if content.get(name)}
    body = msgspec.json.encode(payload)
    if len(body) > MOST_PAYLOAD:
        raise UntranslatableError(f"The push payload has {len(body)} bytes; APNs takes {MOST_PAYLOAD}.")
    return body


def _seen(outcome: Outcome, status: int, started: float) -> Outcome:
    ms = round((monotonic() - started) * 1000)
    return structs.replace(outcome, exchange={"status": status, "ms": ms, "code": outcome.code})
