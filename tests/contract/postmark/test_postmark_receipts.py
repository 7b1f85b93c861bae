"""Postmark's webhooks as its documentation shows them, and the login that is their only authentication."""

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from apps.core.enums import EventKind
from apps.core.types import ProviderCall, Receipt
from tests.contract.conformance import NOW
from tests.contract.postmark.test_postmark_provider import TestPostmark as Case

CASE = Case()
ACCOUNT = CASE.account("http://127.0.0.1:9")
OURS = {"Metadata": {"notifier_reference": "at_1"}}
DELIVERY = {
    "RecordType": "Delivery",
    "ServerID": 23,
    "MessageStream": "outbound",
    "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
    "Recipient": "rosa@example.com",
    "Tag": "welcome-email",
    "DeliveredAt": "2014-08-01T13:28:10.2735393-04:00",
    "Details": "Test delivery webhook details",
    **OURS,
}
BOUNCE = {
    "RecordType": "Bounce",
    "ID": 901542550,
    "Type": "HardBounce",
    "TypeCode": 1,
    "ServerID": 23,
    "Name": "Hard bounce",
    "MessageID": "2706ee8a-737c-4285-b032-ccd317af53ed",
    "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
    "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
    "Email": "rosa@example.com",
    "From": "sender@example.com",
    "BouncedAt": "2016-04-27T16:28:50.3963933-04:00",
    "DumpAvailable": True,
    "Inactive": True,
    "CanActivate": True,
    "Subject": "Postmark event test",
    "Content": "...",
    **OURS,
}
OPEN = {
    "RecordType": "Open",
    "FirstOpen": True,
    "Client": {"Name": "Gmail", "Company": "Google", "Family": "Gmail"},
    "UserAgent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0",
    "Geo": {},
    "MessageID": "f4830d10-9c35-4f0c-bca3-3d9b459821f8",
    "ReceivedAt": "2016-04-27T16:21:41.2493688-04:00",
    "Recipient": "rosa@example.com",
    **OURS,
}
CLICK = {
    **OPEN,
    "RecordType": "Click",
    "ClickLocation": "HTML",
    "OriginalLink": "https://example.com/click/me",
    "ReceivedAt": "2017-10-25T15:21:11.9065619Z",
}
CHANGE = {
    "RecordType": "SubscriptionChange",
    "MessageID": "a4909a96-73d7-4c49-b148-a54522d3f7ac",
    "ServerID": 23,
    "MessageStream": "outbound",
    "ChangedAt": "2022-06-05T17:17:32Z",
    "Recipient": "rosa@example.com",
    "Origin": "Recipient",
    "SuppressSending": True,
    "SuppressionReason": "ManualSuppression",
    "Tag": "welcome-email",
    **OURS,
}


def read(event: dict[str, Any]) -> list[Receipt]:
    return CASE.provider.parse_receipts(ACCOUNT, ProviderCall(CASE.url, {}, msgspec.json.encode(event)))


@pytest.mark.parametrize(
    ("event", "kind", "code", "at"),
    [
        (
            DELIVERY,
            EventKind.DELIVERED,
            "",
            datetime(2014, 8, 1, 13, 28, 10, 273539, timezone(timedelta(hours=-4))),
        ),
        (
            BOUNCE,
            EventKind.BOUNCED,
            "HardBounce",
            datetime(2016, 4, 27, 16, 28, 50, 396393, timezone(timedelta(hours=-4))),
        ),
        (OPEN, EventKind.OPENED, "", datetime(2016, 4, 27, 16, 21, 41, 249368, timezone(timedelta(hours=-4)))),
        (CLICK, EventKind.CLICKED, "", datetime(2017, 10, 25, 15, 21, 11, 906561, UTC)),
        (CHANGE, EventKind.OPTED_OUT, "ManualSuppression", datetime(2022, 6, 5, 17, 17, 32, tzinfo=UTC)),
    ],
)
def test_it_reads_what_the_documentation_shows(event: dict[str, Any], kind: EventKind, code: str, at: datetime) -> None:
    (receipt,) = read(event)
    assert (receipt.kind, receipt.code, receipt.at, receipt.reference) == (kind, code, at, "at_1")
    assert receipt.provider_message_id == event["MessageID"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("HardBounce", (EventKind.BOUNCED, "HardBounce")),
        ("BadEmailAddress", (EventKind.FAILED, "invalid_address")),
        ("SoftBounce", (EventKind.SOFT_BOUNCED, "SoftBounce")),
        ("Transient", (EventKind.DEFERRED, "Transient")),
        ("DnsError", (EventKind.DEFERRED, "DnsError")),
        ("SpamNotification", (EventKind.COMPLAINED, "SpamNotification")),
        ("Unsubscribe", (EventKind.OPTED_OUT, "Unsubscribe")),
        ("Blocked", (EventKind.FAILED, "Blocked")),
        ("ManuallyDeactivated", (EventKind.FAILED, "ManuallyDeactivated")),
        ("DMARCPolicy", (EventKind.FAILED, "DMARCPolicy")),
        ("AutoResponder", None),
        ("ChallengeVerification", None),
        ("SomethingNew", None),
    ],
)
def test_it_tells_bounces_apart(kind: str, expected: tuple[EventKind, str] | None) -> None:
    assert [(r.kind, r.code) for r in read({**BOUNCE, "Type": kind})] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"SuppressionReason": "HardBounce"}, EventKind.BOUNCED),
        ({"SuppressionReason": "SpamComplaint"}, EventKind.COMPLAINED),
        ({"SuppressSending": False, "SuppressionReason": None}, None),
        ({"Origin": "Customer"}, None),
        ({"Origin": "Admin", "SuppressionReason": "HardBounce"}, EventKind.BOUNCED),
    ],
)
def test_it_tells_changes_of_subscription_apart(changes: dict[str, Any], expected: EventKind | None) -> None:
    assert [receipt.kind for receipt in read({**CHANGE, **changes})] == ([expected] if expected else [])


def test_a_complaint_is_the_persons_own_word() -> None:
    complaint = {**BOUNCE, "RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 512}
    assert [(r.kind, r.event_id) for r in read(complaint)] == [(EventKind.COMPLAINED, "SpamComplaint:901542550")]


def test_events_without_an_id_have_one_of_their_own_making() -> None:
    events = [DELIVERY, OPEN, CLICK, CHANGE, {**CLICK, "OriginalLink": "https://example.com/other"}]
    first = [read(event)[0].event_id for event in events]
    assert first == [read(dict(reversed(event.items())))[0].event_id for event in events]
    assert len(set(first)) == 5
    assert read({**OPEN, "RecordType": "Click"})[0].event_id not in first
    assert read({**OPEN, "ReceivedAt": "2016-04-27T16:22:41Z"})[0].event_id not in first


@pytest.mark.parametrize(
    "event",
    [
        {"RecordType": "Inbound", "FromFull": {"Email": "rosa@example.com"}},
        {**CHANGE, "Metadata": {}, "MessageID": "00000000-0000-0000-0000-000000000000"},
        {**CHANGE, "Metadata": None, "MessageID": None},
    ],
)
def test_it_leaves_out_what_names_no_message(event: dict[str, Any]) -> None:
    assert read(event) == []


def test_a_time_that_is_none_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="isoformat"):
        read({**DELIVERY, "DeliveredAt": "yesterday"})


@pytest.mark.parametrize(
    ("login", "secrets", "is_known"),
    [
        ("hook:secret", ("hook:secret",), True),
        ("hook:secret", ("hook:new", "hook:secret"), True),
        ("hook:sécret", ("hook:sécret",), True),
        ("hook:se:cret", ("hook:se:cret",), True),
        ("hook:secret", ("hook:other",), False),
        ("hook:", ("hook:",), False),
        (":", (":",), False),
        ("secret", ("secret",), False),
        ("hook:secret", (), False),
    ],
)
def test_it_knows_its_logins(login: str, secrets: tuple[str, ...], is_known: bool) -> None:
    account = replace(ACCOUNT, webhook_secrets=secrets)
    for scheme in ("Basic", "basic"):
        headers = {"authorization": f"{scheme} {b64encode(login.encode()).decode()}"}
        assert CASE.provider.verify(account, ProviderCall(CASE.url, headers, b"{}"), NOW) is is_known


@pytest.mark.parametrize("header", ["", "Basic", "Basic ", "Bearer hook:secret", "Basic é", "Basic aG9vazpz ZWNyZXQ="])
def test_it_refuses_headers_that_are_no_login(header: str) -> None:
    account = replace(ACCOUNT, webhook_secrets=("hook:secret",))
    assert not CASE.provider.verify(account, ProviderCall(CASE.url, {"authorization": header}, b"{}"), NOW)
