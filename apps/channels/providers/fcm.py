"""Firebase Cloud Messaging, HTTP v1: push to Android, to iOS and the web with FCM's own tokens.
https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages

Credentials: `service_account`, the key file's JSON. Settings: `project_id` (else the key's), `analytics_label` (else the
category), `android_channel_id`, `validate_only` (true: FCM checks and delivers nothing), `platforms` (where APNs or Web Push
carry the others). `sender` is not read. One request takes one message. There are no receipts.

What is shown replaces an earlier attempt of itself by `tag` and `apns-collapse-id`. `android.collapse_key` is only sent when the
content asks for it: FCM stores messages of at most four keys for a device that is offline, and drops the others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import msgspec
from firebase_admin import messaging
from msgspec import structs

from apps.channels import blame, google_tokens
from apps.channels.base import HttpRequest, HttpResponse, Messages, Provider, UntranslatableError
from apps.channels.collapsing import collapse_id, topic
from apps.channels.deadlines import Deadline
from apps.core.enums import Category, Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome

URL = "https://fcm.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
MOST_PAYLOAD = 4096
MOST_TTL = 2_419_200
# what the app gets besides the notification
CARRIED = ("action_url", "engagement_token")
URGENT = frozenset({Category.CRITICAL, Category.TRANSACTIONAL})
AGAIN_SOON = 1.0
# what to wait when FCM does not say: the documentation's own advice
WAITS: Mapping[OutcomeKind, float] = {
    OutcomeKind.THROTTLED: 60.0,
    OutcomeKind.TRANSIENT: 10.0,
    OutcomeKind.PROVIDER_DOWN: 10.0,
}
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"
_NOT_A_TOKEN = "registration token is not a valid"


class _Accepted(msgspec.Struct, frozen=True):
    name: str


class _Error(msgspec.Struct, frozen=True):
    status: str = ""
    message: str = ""
    details: list[dict[str, Any]] = []


class _Refused(msgspec.Struct, frozen=True):
    error: _Error


class FcmProvider(Provider):
    name = "fcm"
    channels = frozenset({Channel.PUSH})
    platforms = frozenset({"ios", "android", "web"})
    fan_out = 32
    kinds: ClassVar[Mapping[str, OutcomeKind]] = {
        "UNREGISTERED": OutcomeKind.INVALID_ADDRESS,
        "INVALID_TOKEN": OutcomeKind.INVALID_ADDRESS,  # our word for an INVALID_ARGUMENT that is the token
        "SENDER_ID_MISMATCH": OutcomeKind.INVALID_ADDRESS,
        "INVALID_ARGUMENT": OutcomeKind.REJECTED,
        "NOT_FOUND": OutcomeKind.MISCONFIGURED,
        "PERMISSION_DENIED": OutcomeKind.MISCONFIGURED,
        "UNAUTHENTICATED": OutcomeKind.MISCONFIGURED,
        "THIRD_PARTY_AUTH_ERROR": OutcomeKind.MISCONFIGURED,
        "APNS_AUTH_ERROR": OutcomeKind.MISCONFIGURED,
        "QUOTA_EXCEEDED": OutcomeKind.THROTTLED,
        "DEVICE_QUOTA_EXCEEDED": OutcomeKind.THROTTLED,  # our word for the quota of one device
        "RESOURCE_EXHAUSTED": OutcomeKind.THROTTLED,
        "INTERNAL": OutcomeKind.TRANSIENT,
        "UNAVAILABLE": OutcomeKind.PROVIDER_DOWN,
    }
    # Firebase's key for Apple or for browsers, of no concern to Android
    soft_config: ClassVar[frozenset[str]] = frozenset({"THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"})
    throttled_alone: ClassVar[frozenset[str]] = frozenset({"DEVICE_QUOTA_EXCEEDED"})
    # a 404 without FCM's own word is a wrong project or a wrong URL
    statuses: ClassVar[Mapping[int, OutcomeKind]] = {404: OutcomeKind.MISCONFIGURED}

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        (message,) = messages
        body: dict[str, Any] = {"message": _encoded(account, message)}
        if account.settings.get("validate_only") is True:
            body["validate_only"] = True
        return HttpRequest(
            f"{account.base_url or URL}/v1/projects/{_project(account)}/messages:send",
            msgspec.json.encode(body),
            {"Content-Type": "application/json", "X-GOOG-API-FORMAT-VERSION": "2"},
        )

    def authorize(self, account: Account, request: HttpRequest, deadline: Deadline) -> HttpRequest:
        token = google_tokens.token(account, SCOPE, deadline)
        return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        accepted = msgspec.json.decode(response.body, type=_Accepted)
        return [Outcome(OutcomeKind.ACCEPTED, provider_message_id=accepted.name[:255])]

    def parse_refusal(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        error = msgspec.json.decode(response.body, type=_Refused).error
        fields = sorted(set(_violations(error)))
        return [self.outcome(_code(error, fields) or str(response.status), response, detail=", ".join(fields))]

    def outcome(self, code: str, response: HttpResponse, *, detail: str = "") -> Outcome:
        found = super().outcome(code, response, detail=detail)
        return structs.replace(found, retry_after=WAITS.get(found.kind)) if found.retry_after is None else found

    def reconsider(self, account: Account, request: HttpRequest, outcomes: list[Outcome]) -> list[Outcome]:
        """A refused access token refuses no message: it may have been revoked, and another is asked for with the next call."""
        (outcome,) = outcomes
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if outcome.kind is OutcomeKind.ACCEPTED:
            google_tokens.note_accepted(account, token)
            blame.note_success(account.id)
        elif outcome.code in {"UNAUTHENTICATED", "401"} and not google_tokens.is_fresh_refused(account, token):
            return [structs.replace(outcome, kind=OutcomeKind.THROTTLED, retry_after=AGAIN_SOON)]
        elif outcome.code == "SENDER_ID_MISMATCH" and blame.is_ours(account.id):
            return [structs.replace(outcome, kind=OutcomeKind.MISCONFIGURED)]
        return outcomes

    def check_credentials(self, account: Account, deadline: Deadline) -> Outcome | None:
        """FCM checks who we are before it looks at the token, and with `validate_only` it sends nothing."""
        asking = replace(account, settings={**account.settings, "validate_only": True})
        (outcome,) = self.call(asking, [_NOBODYS], deadline)
        if outcome.kind in {OutcomeKind.INVALID_ADDRESS, OutcomeKind.ACCEPTED}:
            return Outcome(OutcomeKind.ACCEPTED, detail="FCM knows the service account and the project.")
        return outcome


_NOBODYS = OutboundMessage(
    reference="check",
    delivery="check",
    tenant="",
    channel=Channel.PUSH,
    category=Category.MARKETING,
    address="check",
    platform="android",
    sender="",
    content={"title": "Check"},
)


def _encoded(account: Account, message: OutboundMessage) -> dict[str, Any]:
    """What the SDK makes of it, as it would send it. Raises UntranslatableError."""
    letter = _letter(account, message)
    try:
        encoded = msgspec.json.decode(str(letter), type=dict[str, Any])
    except ValueError as error:
        raise UntranslatableError(str(error)) from error
    size = len(msgspec.json.encode(list(_shown(encoded))))
    if size > MOST_PAYLOAD:
        raise UntranslatableError(f"The push payload has {size} bytes; FCM takes {MOST_PAYLOAD}.")
    return encoded


def _letter(account: Account, message: OutboundMessage) -> messaging.Message:
    content, platform = message.content, message.platform
    data = {"reference": message.reference, "delivery": message.delivery}
    data |= {name: content[name] for name in CARRIED if content.get(name)}
    label = account.settings.get("analytics_label") or message.category.value
    letter = messaging.Message(
        notification=messaging.Notification(
            title=content.get("title"), body=content.get("body"), image=content.get("image_url")
        ),
        data=data,
        android=_android(account, message) if platform in {"android", ""} else None,
        apns=_apns(message) if platform in {"ios", ""} else None,
        webpush=_webpush(message) if platform in {"web", ""} else None,
        fcm_options=messaging.FCMOptions(analytics_label=str(label)),
    )
    # as an argument it warns: the SDK would rather have installation ids, which no client library hands out yet
    letter.token = message.address
    return letter


def _android(account: Account, message: OutboundMessage) -> messaging.AndroidConfig:
    return messaging.AndroidConfig(
        priority="high" if message.category in URGENT else "normal",
        ttl=min(message.ttl, MOST_TTL) if message.ttl else None,
        collapse_key=collapse_id(message) if "collapse_id" in message.content else None,
        notification=messaging.AndroidNotification(
            tag=collapse_id(message),
            channel_id=account.settings.get("android_channel_id"),
            notification_count=_badge(message),
        ),
    )


def _apns(message: OutboundMessage) -> messaging.APNSConfig:
    is_urgent = message.category in URGENT
    headers = {"apns-collapse-id": collapse_id(message), "apns-priority": "10" if is_urgent else "5"}
    if message.expires_at:
        headers["apns-expiration"] = str(int(message.expires_at.timestamp()))
    has_image = "image_url" in message.content
    aps = messaging.Aps(
        badge=_badge(message), sound="default" if is_urgent else None, mutable_content=True if has_image else None
    )
    return messaging.APNSConfig(headers=headers, payload=messaging.APNSPayload(aps))


def _webpush(message: OutboundMessage) -> messaging.WebpushConfig:
    headers = {"Topic": topic(message), "Urgency": "high" if message.category in URGENT else "normal"}
    if message.ttl:
        headers["TTL"] = str(min(message.ttl, MOST_TTL))
    url = message.content.get("action_url", "")
    return messaging.WebpushConfig(
        headers=headers,
        notification=messaging.WebpushNotification(tag=collapse_id(message)),
        fcm_options=messaging.WebpushFCMOptions(link=url) if url.startswith("https://") else None,
    )


def _badge(message: OutboundMessage) -> int | None:
    badge = message.content.get("badge", "")
    return int(badge) if badge.isdecimal() else None


def _shown(encoded: Mapping[str, Any]) -> Iterator[Any]:
    """The parts that travel to the device and count."""
    yield encoded.get("notification")
    yield encoded.get("data")
    yield encoded.get("android", {}).get("notification")
    yield encoded.get("apns", {}).get("payload")
    yield encoded.get("webpush", {}).get("notification")


def _project(account: Account) -> str:
    """An unreadable key makes an unusable URL here; `authorize` says so before anything is sent."""
    if named := account.settings.get("project_id"):
        return str(named)
    try:
        key = msgspec.json.decode(account.credentials.get(google_tokens.CREDENTIAL, ""), type=dict[str, Any])
    except msgspec.MsgspecError:
        return ""
    return str(key.get("project_id", ""))


def _code(error: _Error, fields: list[str]) -> str:
    code = next((d.get("errorCode") for d in error.details if d.get("@type") == _FCM_ERROR), None) or error.status
    if code in {"QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"} and _is_of_device(error):
        return "DEVICE_QUOTA_EXCEEDED"
    if code == "INVALID_ARGUMENT" and (fields == ["message.token"] or _NOT_A_TOKEN in error.message):
        return "INVALID_TOKEN"
    return str(code)


def _is_of_device(error: _Error) -> bool:
    """google.rpc.QuotaFailure names the quota: of the project, or of the device."""
    failures = [d for d in error.details if d.get("@type") == _QUOTA_FAILURE]
    return any(
        "device" in str(violation).lower() for failure in failures for violation in failure.get("violations") or ()
    )


def _violations(error: _Error) -> Iterator[str]:
    """Names of fields only: the descriptions quote content."""
    for detail in error.details:
        for violation in detail.get("fieldViolations") or ():
            yield str(violation.get("field", ""))[:100]
