"""What SES reports through SNS, in our words.
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from apps.channels.base import UnreadableError
from apps.channels.mail import REFERENCE_HEADER
from apps.channels.sns import Note
from apps.core.enums import EventKind
from apps.core.types import Receipt

TAG = "notifier_reference"
# event: our kind, the object that tells more, and where in it the recipients are (none: those of the mail)
KINDS: Mapping[str, tuple[EventKind, str, str]] = {
    "Send": (EventKind.SENT, "send", ""),
    "Delivery": (EventKind.DELIVERED, "delivery", "recipients"),
    "DeliveryDelay": (EventKind.DEFERRED, "deliveryDelay", "delayedRecipients"),
    "Bounce": (EventKind.BOUNCED, "bounce", "bouncedRecipients"),
    "Complaint": (EventKind.COMPLAINED, "complaint", "complainedRecipients"),
    "Reject": (EventKind.FAILED, "reject", ""),
    "Rendering Failure": (EventKind.FAILED, "failure", ""),
    "Open": (EventKind.OPENED, "open", ""),
    "Click": (EventKind.CLICKED, "click", ""),
    "Subscription": (EventKind.OPTED_OUT, "subscription", ""),
}
# by type, then by type and subtype. Only what Permanent says is for good; what SES did not even try says nothing new
BOUNCES: Mapping[str, EventKind] = {
    "Permanent": EventKind.BOUNCED,
    "Transient": EventKind.SOFT_BOUNCED,
    "Undetermined": EventKind.SOFT_BOUNCED,
    "Permanent/OnAccountSuppressionList": EventKind.FAILED,
    "Permanent/UnsubscribedRecipient": EventKind.OPTED_OUT,
}
# sent by hand or by SES itself, to see whether the topic works
_TRIALS = ("AmazonSnsSubscriptionSucceeded", "Successfully validated SNS topic")


def receipts(note: Note) -> list[Receipt]:
    """One per recipient; none for events that say nothing to us. Raises UnreadableError."""
    if note.Message.startswith(_TRIALS[1]):
        return []
    try:
        return _receipts(note, msgspec.json.decode(note.Message, type=dict[str, Any]))
    except (KeyError, TypeError, AttributeError, ValueError, msgspec.MsgspecError) as error:
        raise UnreadableError(f"no event of SES: {type(error).__name__}") from None


def _receipts(note: Note, event: Mapping[str, Any]) -> list[Receipt]:
    name = event.get("eventType") or event["notificationType"]
    if name not in KINDS:
        return []
    kind, part, place = KINDS[name]
    mail, more = event["mail"], event.get(part) or {}
    found, code = _narrowed(kind, more)
    if found is None:
        return []
    at = datetime.fromisoformat(more.get("timestamp") or mail["timestamp"])
    return [
        Receipt(
            event_id=f"{note.MessageId}/{name.replace(' ', '')}/{_short(address)}",
            kind=found,
            at=at,
            reference=_reference(mail),
            provider_message_id=mail["messageId"],
            code=code[:64],
            detail=status,
        )
        for address, status in _recipients(more.get(place, ()) if place else mail["destination"])
    ]


def _narrowed(kind: EventKind, more: Mapping[str, Any]) -> tuple[EventKind | None, str]:
    """What it really is, and its code. None: nothing to us."""
    match kind:
        case EventKind.BOUNCED:
            main = str(more["bounceType"])
            code = f"{main}/{more.get('bounceSubType') or ''}".removesuffix("/")
            return BOUNCES.get(code) or BOUNCES.get(main, EventKind.SOFT_BOUNCED), code
        case EventKind.COMPLAINED if more.get("complaintSubType") == "OnAccountSuppressionList":
            return EventKind.FAILED, "OnAccountSuppressionList"
        case EventKind.COMPLAINED:
            said = str(more.get("complaintFeedbackType") or "")
            return (None if said == "not-spam" else kind), said
        case EventKind.OPTED_OUT:
            return (kind if _has_opted_out(more) else None), ""
        case EventKind.FAILED:
            return kind, str(more.get("reason") or "rendering")
        case EventKind.DEFERRED:
            return kind, str(more.get("delayType") or "")
    return kind, ""


def _has_opted_out(more: Mapping[str, Any]) -> bool:
    """Of everything, or of a topic that was not off before."""
    new, old = more["newTopicPreferences"], more.get("oldTopicPreferences") or {}
    return bool(new.get("unsubscribeAll")) or bool(_off(new) - _off(old))


def _off(preferences: Mapping[str, Any]) -> set[str]:
    topics = preferences.get("topicSubscriptionStatus") or ()
    return {topic["topicName"] for topic in topics if topic["subscriptionStatus"].lower() == "optout"}


def _recipients(found: Iterable[Any]) -> Iterable[tuple[str, str]]:
    """Addresses, and the enhanced status code where one is given."""
    for one in found:
        if isinstance(one, str):
            yield one, ""
        else:
            yield one["emailAddress"], str(one.get("status") or "")[:32]


def _reference(mail: Mapping[str, Any]) -> str:
    """Identity notifications have no tags, but the headers, if that is switched on."""
    tagged = (mail.get("tags") or {}).get(TAG)
    if tagged:
        return str(tagged[0])
    headers = mail.get("headers") or ()
    wanted = REFERENCE_HEADER.lower()
    return next((str(one["value"]) for one in headers if str(one["name"]).lower() == wanted), "")


def _short(address: str) -> str:
    return sha256(address.strip().lower().encode()).hexdigest()[:16]
