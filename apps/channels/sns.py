"""Calls by Amazon SNS: whether it signed them, what they say, and the confirmation of a subscription.
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html

Account setting `topic_arns`: the topics whose calls are believed; none by default.
"""

import logging
from base64 import b64decode
from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from apps.channels.base import NotSentError, UnreadableError
from apps.channels.deadlines import Deadline
from apps.channels.sns_certificates import certificate, get, origin_of, source_of
from apps.channels.transport import Fault
from apps.core.enums import OutcomeKind
from apps.core.types import Account, ProviderCall

log = logging.getLogger(__name__)
OLDEST, AHEAD = timedelta(hours=1), timedelta(minutes=5)
_SUBSCRIPTION = "SubscriptionConfirmation"
_ABOUT_SUBSCRIPTIONS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
# what is signed, in this order; a missing Subject is left out
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    _SUBSCRIPTION: _ABOUT_SUBSCRIPTIONS,
    "UnsubscribeConfirmation": _ABOUT_SUBSCRIPTIONS,
}
_HASHES = {"1": SHA1, "2": SHA256}


class Note(msgspec.Struct, frozen=True):
    """The body of a call. `Message`: for notifications, the publisher's own text."""

    Type: str
    MessageId: str
    TopicArn: str
    Message: str
    Timestamp: str
    SigningCertURL: str
    Signature: str
    SignatureVersion: str
    Subject: str | None = None
    SubscribeURL: str | None = None
    Token: str | None = None

    @property
    def is_notification(self) -> bool:
        return self.Type == "Notification"

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.Timestamp)


def read(body: bytes) -> Note:
    """Raises UnreadableError."""
    try:
        note = msgspec.json.decode(body, type=Note)
        if note.at.tzinfo is None:
            raise ValueError("a time without zone")
    except (ValueError, msgspec.MsgspecError) as error:
        raise UnreadableError(f"no note of SNS: {type(error).__name__}") from None
    return note


def is_signed(account: Account, call: ProviderCall, now: datetime) -> bool:
    """Whether SNS signed it, lately, for a topic of this account's. Asks nobody before the rest is right.

    Raises UnverifiableError while the certificate cannot be had.
    """
    try:
        note = read(call.body)
        source = source_of(account, note.SigningCertURL)
        if note.Type == _SUBSCRIPTION:
            origin_of(account, note.SubscribeURL or "")
        signature = b64decode(note.Signature, validate=True)
    except ValueError:
        return False
    named = (call.headers.get("x-amz-sns-message-type"), call.headers.get("x-amz-sns-message-id"))
    if named != (note.Type, note.MessageId) or note.Type not in _SIGNED or note.SignatureVersion not in _HASHES:
        return False
    if not _is_allowed(account, note) or not -AHEAD <= now - note.at <= OLDEST:
        return False
    found = certificate(account, source)
    if found is None or not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        return False
    return _is_by(found.public_key(), signature, note)


def confirm(account: Account, call: ProviderCall, deadline: Deadline) -> None:
    """Answers a verified SubscriptionConfirmation, asking its host but not following its link. Raises NotSentError."""
    if call.headers.get("x-amz-sns-message-type") != _SUBSCRIPTION:
        return
    try:
        note = read(call.body)
        if note.Type != _SUBSCRIPTION or not _is_allowed(account, note):
            return
        origin = origin_of(account, note.SubscribeURL or "")
    except ValueError:
        return
    query = urlencode({"Action": "ConfirmSubscription", "TopicArn": note.TopicArn, "Token": note.Token or ""})
    answer = get(account, f"{origin}/?{query}", deadline)
    if isinstance(answer, Fault) or answer.status >= 500:
        code = answer.code if isinstance(answer, Fault) else str(answer.status)
        raise NotSentError(OutcomeKind.PROVIDER_DOWN, code, "The subscription is not confirmed yet.")
    if answer.is_success:
        log.info("subscription confirmed", extra={"account": account.key})
    else:
        log.warning("subscription not confirmed", extra={"account": account.key, "status": answer.status})


def _is_allowed(account: Account, note: Note) -> bool:
    allowed = account.settings.get("topic_arns") or ()
    return note.TopicArn in ((allowed,) if isinstance(allowed, str) else allowed)


def _is_by(key: object, signature: bytes, note: Note) -> bool:
    if not isinstance(key, RSAPublicKey):
        return False
    fields = ((name, getattr(note, name)) for name in _SIGNED[note.Type])
    text = "".join(f"{name}\n{value}\n" for name, value in fields if value is not None)
    try:
        key.verify(signature, text.encode(), PKCS1v15(), _HASHES[note.SignatureVersion]())
    except InvalidSignature:
        return False
    return True
