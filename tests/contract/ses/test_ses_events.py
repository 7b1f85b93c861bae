"""What SES reports, in our words. The bodies are those of
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html, shortened."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.channels.base import UnreadableError
from apps.channels.ses_events import KINDS, receipts
from apps.channels.sns import Note, read
from apps.core.enums import EventKind
from apps.core.types import Receipt
from tests.contract.conformance import NOW
from tests.simulators import sns

ID = "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000"
MAIL = {
    "timestamp": "2017-08-05T00:40:02.012Z",
    "source": "Sender Name <sender@example.com>",
    "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/sender@example.com",
    "sendingAccountId": "123456789012",
    "messageId": ID,
    "destination": ["recipient@example.com"],
    "headersTruncated": False,
    "headers": [{"name": "X-Notifier-Reference", "value": "at_header"}],
    "tags": {"ses:configuration-set": ["ConfigSet"], "notifier_reference": ["at_tag"]},
}
AT = datetime(2017, 8, 5, 0, 41, 2, 669000, tzinfo=UTC)
WHEN = {"timestamp": "2017-08-05T00:41:02.669Z"}
PERSON = {"emailAddress": "recipient@example.com"}


def note(message: object, message_id: str = "n1") -> Note:
    text = message if isinstance(message, str) else json.dumps(message)
    fields = sns.note(text, origin="https://x", at=NOW, message_id=message_id, Signature="x")
    return read(json.dumps(fields).encode())


def told(name: str, **more: Any) -> list[Receipt]:
    return receipts(note({"eventType": name, "mail": MAIL, **more}))


def brief(found: list[Receipt]) -> list[tuple[EventKind, str]]:
    return [(receipt.kind, receipt.code) for receipt in found]


def bounce(kind: str, sub: str) -> dict[str, Any]:
    return {"bounceType": kind, "bounceSubType": sub, "bouncedRecipients": [{**PERSON, "status": "5.1.1"}], **WHEN}


@pytest.mark.parametrize(
    ("kind", "sub", "expected"),
    [
        ("Permanent", "General", EventKind.BOUNCED),
        ("Permanent", "NoEmail", EventKind.BOUNCED),
        ("Permanent", "Suppressed", EventKind.BOUNCED),
        ("Permanent", "OnAccountSuppressionList", EventKind.FAILED),
        ("Permanent", "UnsubscribedRecipient", EventKind.OPTED_OUT),
        ("Transient", "General", EventKind.SOFT_BOUNCED),
        ("Transient", "MailboxFull", EventKind.SOFT_BOUNCED),
        ("Transient", "MessageTooLarge", EventKind.SOFT_BOUNCED),
        ("Transient", "ContentRejected", EventKind.SOFT_BOUNCED),
        ("Transient", "AttachmentRejected", EventKind.SOFT_BOUNCED),
        ("Undetermined", "Undetermined", EventKind.SOFT_BOUNCED),
        ("SomethingNew", "General", EventKind.SOFT_BOUNCED),
    ],
)
def test_only_a_permanent_bounce_is_for_good(kind: str, sub: str, expected: EventKind) -> None:
    found = told("Bounce", bounce=bounce(kind, sub))
    assert [(r.kind, r.code, r.detail, r.at) for r in found] == [(expected, f"{kind}/{sub}", "5.1.1", AT)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, [(EventKind.COMPLAINED, "")]),
        ({"complaintFeedbackType": "abuse"}, [(EventKind.COMPLAINED, "abuse")]),
        ({"complaintFeedbackType": None, "complaintSubType": None}, [(EventKind.COMPLAINED, "")]),
        ({"complaintSubType": "OnAccountSuppressionList"}, [(EventKind.FAILED, "OnAccountSuppressionList")]),
        ({"complaintFeedbackType": "not-spam"}, []),
    ],
)
def test_a_complaint_is_one_unless_it_says_otherwise(said: dict[str, Any], expected: list[Any]) -> None:
    assert brief(told("Complaint", complaint={"complainedRecipients": [PERSON], **WHEN, **said})) == expected


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        ("Send", {"send": {}}, (EventKind.SENT, "")),
        ("Delivery", {"delivery": {"recipients": ["recipient@example.com"], **WHEN}}, (EventKind.DELIVERED, "")),
        (
            "DeliveryDelay",
            {"deliveryDelay": {"delayType": "MailboxFull", "delayedRecipients": [PERSON], **WHEN}},
            (EventKind.DEFERRED, "MailboxFull"),
        ),
        ("Reject", {"reject": {"reason": "Bad content"}}, (EventKind.FAILED, "Bad content")),
        (
            "Rendering Failure",
            {"failure": {"errorMessage": "Attribute 'x' is not present"}},
            (EventKind.FAILED, "rendering"),
        ),
        ("Open", {"open": {"ipAddress": "192.0.2.1", "userAgent": "Mozilla/5.0", **WHEN}}, (EventKind.OPENED, "")),
        ("Click", {"click": {"link": "https://acme.test", "linkTags": None, **WHEN}}, (EventKind.CLICKED, "")),
    ],
)
def test_it_maps_every_event(name: str, more: dict[str, Any], expected: tuple[EventKind, str]) -> None:
    (receipt,) = told(name, **more)
    assert (receipt.kind, receipt.code) == expected
    assert (receipt.reference, receipt.provider_message_id) == ("at_tag", ID)
    assert "recipient" not in repr(receipt)


def preferences(everything: bool, *topics: tuple[str, str]) -> dict[str, Any]:
    return {
        "unsubscribeAll": everything,
        "topicSubscriptionStatus": [{"topicName": name, "subscriptionStatus": status} for name, status in topics],
    }


@pytest.mark.parametrize(
    ("old", "new", "is_opt_out"),
    [
        (preferences(False, ("news", "OptIn")), preferences(True, ("news", "OptIn")), True),
        (preferences(False, ("news", "OptIn")), preferences(False, ("news", "OptOut")), True),
        (preferences(False, ("news", "OptOut")), preferences(False, ("news", "OptOut"), ("tips", "OptIn")), False),
        (preferences(True), preferences(False), False),
        (None, preferences(True), True),
    ],
)
def test_a_subscription_says_who_opted_out(old: Any, new: Any, is_opt_out: bool) -> None:
    said = {
        "contactList": "c",
        "source": "UnsubscribeHeader",
        "newTopicPreferences": new,
        "oldTopicPreferences": old,
        **WHEN,
    }
    assert brief(told("Subscription", subscription=said)) == ([(EventKind.OPTED_OUT, "")] if is_opt_out else [])


def test_every_event_that_ses_knows_is_mapped() -> None:
    assert set(KINDS) == {
        *("Send", "Delivery", "DeliveryDelay", "Bounce", "Complaint", "Reject", "Rendering Failure", "Open", "Click"),
        "Subscription",
    }


def test_events_to_come_and_trials_say_nothing() -> None:
    assert told("Levitation", levitation={}) == []
    assert receipts(note("Successfully validated SNS topic for Amazon SES event publishing.")) == []
    assert (
        receipts(note({"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have subscribed"})) == []
    )


def test_it_reads_notifications_of_an_identity_too() -> None:
    """They have another name for the type and no tags."""
    mail = {name: value for name, value in MAIL.items() if name != "tags"}
    (receipt,) = receipts(note({"notificationType": "Bounce", "mail": mail, "bounce": bounce("Permanent", "General")}))
    assert (receipt.kind, receipt.reference, receipt.provider_message_id) == (EventKind.BOUNCED, "at_header", ID)
    del mail["headers"]
    (receipt,) = receipts(note({"notificationType": "Bounce", "mail": mail, "bounce": bounce("Permanent", "General")}))
    assert (receipt.reference, receipt.provider_message_id) == ("", ID)


def test_one_note_about_several_people_has_an_id_for_each() -> None:
    people = [{"emailAddress": name} for name in ("bea@example.com", "Otto@example.com")]
    event = {
        "eventType": "Bounce",
        "mail": MAIL,
        "bounce": bounce("Permanent", "General") | {"bouncedRecipients": people},
    }
    first, again, other = receipts(note(event)), receipts(note(event)), receipts(note(event, "n2"))
    assert len({receipt.event_id for receipt in first + other}) == 4
    assert [receipt.event_id for receipt in first] == [receipt.event_id for receipt in again]
    shouted = receipts(
        note({**event, "bounce": event["bounce"] | {"bouncedRecipients": [{"emailAddress": "OTTO@EXAMPLE.COM"}]}})
    )
    assert shouted[0].event_id == first[1].event_id


@pytest.mark.parametrize(
    "message",
    ["<html>", "[]", "{}", '{"eventType": "Bounce"}', '{"eventType": "Bounce", "mail": {"messageId": "x"}, "bounce": {}}',
     '{"eventType": "Delivery", "mail": {"messageId": "x", "timestamp": "now"}, "delivery": {"recipients": ["a@b.c"]}}'],
)  # fmt: skip
def test_it_raises_for_what_makes_no_sense(message: str) -> None:
    with pytest.raises(UnreadableError):
        receipts(note(message))
