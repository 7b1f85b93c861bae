"""Web Push: push to browsers through the push service that each subscription names. RFC 8030, RFC 8291, RFC 8292.

Credentials: `private_key`, the VAPID key (32 bytes in base64url, DER or PEM). `sender`: the VAPID subject, a mailto: or https:
URL that can be reached (Apple refuses others). Settings: `hosts`, names of push services besides those in HOSTS (`*.push.acme.com`);
`ttl`, seconds that a message without an expiry is kept. `base_url`: a push service to call instead of the subscriptions' own.

The address is what PushManager.subscribe() returned, as JSON. The service worker gets JSON: title, body, action_url, image_url,
badge, tag, engagement_token (for telling us of opens), reference, delivery. There are no receipts.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec
from msgspec import structs
from pywebpush import WebPusher

from apps.channels import blame, vapid
from apps.channels.base import HttpRequest, HttpResponse, Messages, NotSentError, Provider, UntranslatableError
from apps.channels.collapsing import collapse_id, topic
from apps.channels.deadlines import Deadline
from apps.channels.foreign import check_url
from apps.core import clock
from apps.core.enums import Category, Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome

HOSTS = ("fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com")
# one record of 4,096 bytes (RFC 8291 section 4), less 86 of header, 16 of tag, 1 of padding
MOST_PLAINTEXT = 3993
MOST_TTL = 2_419_200
URGENCY: Mapping[Category, str] = {
    Category.CRITICAL: "high",
    Category.TRANSACTIONAL: "high",
    Category.SOCIAL: "normal",
    Category.MARKETING: "low",
}
_SHOWN = ("title", "body", "action_url", "image_url", "engagement_token")
# that the subscription was made with another key, as Google (403), Mozilla (401) and Apple (400) say it
_MISMATCHES = (b"the credentials used to create the subscription", b"VAPID public key mismatch", b"VapidPkHashMismatch")


class _Keys(msgspec.Struct, frozen=True):
    p256dh: str
    auth: str


class _Subscription(msgspec.Struct, frozen=True):
    endpoint: str
    keys: _Keys


class WebPushProvider(Provider):
    name = "webpush"
    channels = frozenset({Channel.PUSH})
    platforms = frozenset({"web_push"})
    fan_out = 32
    kinds: ClassVar[Mapping[str, OutcomeKind]] = {"key_mismatch": OutcomeKind.INVALID_ADDRESS}
    statuses: ClassVar[Mapping[int, OutcomeKind]] = {
        404: OutcomeKind.INVALID_ADDRESS,
        410: OutcomeKind.INVALID_ADDRESS,
    }

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        (message,) = messages
        try:
            subscription = msgspec.json.decode(message.address, type=_Subscription)
        except msgspec.MsgspecError:
            raise UntranslatableError("The address is not a web-push subscription.") from None
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(min(message.ttl or int(account.settings.get("ttl", MOST_TTL)), MOST_TTL)),
            "Urgency": URGENCY[message.category],
            "Topic": topic(message),
        }
        return HttpRequest(
            _url(account, subscription.endpoint),
            _encrypted(subscription, _plaintext(message)),
            headers,
            is_foreign=not account.base_url,
        )

    def authorize(self, account: Account, request: HttpRequest, deadline: Deadline) -> HttpRequest:
        if not urlsplit(request.url).netloc:
            return request  # the transport says what is wrong with such a URL
        value = vapid.authorization(account, _origin(request.url), clock.now())
        return replace(request, headers={**request.headers, "Authorization": value})

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        """Whatever the body: the status is the answer (RFC 8030 section 5). `Location` names the message."""
        location = response.headers.get("location", "")
        return [Outcome(OutcomeKind.ACCEPTED, provider_message_id=location.rpartition("/")[2][:255])]

    def error_code(self, response: HttpResponse) -> str:
        return "key_mismatch" if any(words in response.body for words in _MISMATCHES) else ""

    def reconsider(self, account: Account, request: HttpRequest, outcomes: list[Outcome]) -> list[Outcome]:
        """A 403 speaks of one subscription if the same key is good for others of the same push service."""
        (outcome,) = outcomes
        place = f"{_origin(request.url)} {request.headers.get('Authorization', '').rpartition('k=')[2]}"
        if outcome.kind is OutcomeKind.ACCEPTED:
            blame.note_success(account.id, place)
        elif outcome.code == "key_mismatch" and blame.is_ours(account.id, place):
            return [structs.replace(outcome, kind=OutcomeKind.MISCONFIGURED)]
        elif outcome.code == "403" and not blame.is_ours(account.id, place, is_plain=False):
            return [structs.replace(outcome, kind=OutcomeKind.INVALID_ADDRESS)]
        return outcomes

    def check_credentials(self, account: Account, deadline: Deadline) -> Outcome | None:
        """No push service can be asked without a subscription; only whether key and subject are some."""
        try:
            vapid.authorization(account, f"https://{HOSTS[0]}", clock.now())
        except NotSentError as error:
            return error.outcome
        return None


def _url(account: Account, endpoint: str) -> str:
    """Raises UntranslatableError for an endpoint that is none of a known push service."""
    try:
        check_url(endpoint, (*HOSTS, *_own_hosts(account)))
    except ValueError as error:
        raise UntranslatableError(str(error)) from None
    parts = urlsplit(endpoint)
    return f"{account.base_url}{parts.path}{'?' + parts.query if parts.query else ''}" if account.base_url else endpoint


def _own_hosts(account: Account) -> list[str]:
    """A list, or a single name: taken letter by letter, its `*` would let everybody in."""
    said = account.settings.get("hosts")
    return [str(name).lower() for name in said] if isinstance(said, list) else [str(said).lower()] if said else []


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _plaintext(message: OutboundMessage) -> bytes:
    content = message.content
    shown: dict[str, Any] = {name: content[name] for name in _SHOWN if name in content}
    if content.get("badge", "").isdecimal():
        shown["badge"] = int(content["badge"])
    shown |= {"tag": collapse_id(message), "reference": message.reference, "delivery": message.delivery}
    plaintext = msgspec.json.encode(shown)
    if len(plaintext) > MOST_PLAINTEXT:
        raise UntranslatableError(f"The push payload has {len(plaintext)} bytes; Web Push takes {MOST_PLAINTEXT}.")
    return plaintext


def _encrypted(subscription: _Subscription, plaintext: bytes) -> bytes:
    """RFC 8291, by the SDK: one aes128gcm record with a key and a salt of its own. Raises UntranslatableError."""
    try:
        pusher = WebPusher(msgspec.to_builtins(subscription))
        return bytes(pusher.encode(plaintext)["body"])
    except Exception as error:
        # the SDK and the library beneath it name no errors for keys that are none
        raise UntranslatableError(f"The subscription's keys cannot be used ({type(error).__name__}).") from None
