"""Mailgun's events as its documentation shows them, and its signature."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from apps.core.enums import EventKind
from apps.core.types import ProviderCall
from tests.contract.conformance import NOW
from tests.contract.mailgun.test_mailgun_provider import TestMailgun as Case
from tests.simulators.mailgun import SIGNING_KEY, signature

CASE = Case()
ACCOUNT = CASE.account("http://127.0.0.1:9")

# a delivered event as Mailgun made it (anonymised)
DELIVERED = {
    "tags": [],
    "timestamp": 1534108637.153125,
    "storage": {"url": "https://sw.api.mailgun.net/v3/domains/example.org/messages/eyJwI...", "key": "eyJwI..."},
    "recipient-domain": "example.com",
    "id": "hTWCTD81RtiDN-...",
    "campaigns": [],
    "user-variables": {"notifier_reference": "at_1"},
    "flags": {"is-routed": False, "is-authenticated": True, "is-system-test": False, "is-test-mode": False},
    "log-level": "info",
    "envelope": {"sending-ip": "333.123.123.200", "sender": "test@example.org", "transport": "smtp"},
    "message": {
        "headers": {"to": "rosa@example.com", "message-id": "20180812211713.1.DF59@example.org", "subject": "Testing"},
        "attachments": [],
        "size": 809,
    },
    "recipient": "rosa@example.com",
    "event": "delivered",
    "delivery-status": {
        "tls": True,
        "mx-host": "smtp-in.example.com",
        "attempt-no": 1,
        "description": "",
        "session-seconds": 3.5700838565826416,
        "utf8": True,
        "code": 250,
        "message": "OK",
        "certificate-verified": True,
    },
}


def call(event: dict[str, Any], *, key: str = SIGNING_KEY, at: datetime = NOW, token: str = "t1") -> ProviderCall:
    body = {"signature": signature(int(at.timestamp()), token, key), "event-data": event}
    return ProviderCall(CASE.url, {"content-type": "application/json"}, msgspec.json.encode(body))


def is_verified(said: ProviderCall, *secrets: str, now: datetime = NOW) -> bool:
    return CASE.provider.verify(replace(ACCOUNT, webhook_secrets=secrets), said, now)


def test_it_reads_a_real_delivery() -> None:
    (receipt,) = CASE.provider.parse_receipts(ACCOUNT, call(DELIVERED))
    assert (receipt.kind, receipt.reference, receipt.event_id) == (EventKind.DELIVERED, "at_1", "t1")
    assert receipt.provider_message_id == "20180812211713.1.DF59@example.org"
    assert receipt.at == datetime(2018, 8, 12, 21, 17, 17, 153125, UTC)
    assert receipt.detail == "OK"


def test_the_signature_is_as_documented() -> None:
    """HMAC-SHA256, in hex, of timestamp and token; the digest was computed with openssl."""
    token = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    said = call(DELIVERED, token=token, at=datetime.fromtimestamp(1529006854, UTC))
    digest = "b63c0701c4f4b614f272106a1b367c5c3369bcdca664ae73ebd52787e45eef07"
    theirs = {"timestamp": "1529006854", "token": token, "signature": digest}
    body = msgspec.json.encode({"signature": theirs, "event-data": DELIVERED})
    key, now = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0", datetime.fromtimestamp(1529006900, UTC)
    assert is_verified(replace(said, body=body), key, now=now)
    assert not is_verified(replace(said, body=body.replace(b"b63c", b"b63d")), key, now=now)


def test_it_takes_any_of_several_keys() -> None:
    said = call(DELIVERED)
    assert is_verified(said, "another", SIGNING_KEY)
    assert not is_verified(said, "another")
    assert not is_verified(said)
    assert not is_verified(call(DELIVERED, key=""), "")


def test_it_wants_the_login_when_there_is_one() -> None:
    said = call(DELIVERED)
    carried = replace(said, headers={"authorization": "Basic bWFpbGd1bjpzZWNyZXQ="})
    assert is_verified(carried, SIGNING_KEY, "mailgun:secret")
    assert is_verified(carried, SIGNING_KEY, "mailgun:other", "mailgun:secret")
    assert not is_verified(said, SIGNING_KEY, "mailgun:secret")
    assert not is_verified(carried, "mailgun:secret")


@pytest.mark.parametrize(
    ("age", "is_taken"),
    [
        (timedelta(hours=24), True),
        (timedelta(hours=24, seconds=1), False),
        (timedelta(seconds=-300), True),
        (timedelta(seconds=-301), False),
    ],
)
def test_it_takes_no_call_older_than_a_day(age: timedelta, is_taken: bool) -> None:
    assert is_verified(call(DELIVERED), SIGNING_KEY, now=NOW + age) is is_taken


@pytest.mark.parametrize("body", [b"", b"[]", b'{"signature": 7}', b'{"signature": {"timestamp": "x"}}', b"a=b"])
def test_it_refuses_bodies_without_a_signature(body: bytes) -> None:
    assert not is_verified(ProviderCall(CASE.url, {}, body), SIGNING_KEY)


FAILED = {"event": "failed", "severity": "permanent"}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "accepted"}, [(EventKind.SENT, "")]),
        ({**FAILED, "reason": "bounce"}, [(EventKind.BOUNCED, "bounce")]),
        ({**FAILED, "reason": "suppress-bounce"}, [(EventKind.BOUNCED, "suppress-bounce")]),
        (
            {**FAILED, "reason": "suppress-unsubscribe"},
            [(EventKind.FAILED, "suppress-unsubscribe"), (EventKind.OPTED_OUT, "suppress-unsubscribe")],
        ),
        (
            {**FAILED, "reason": "suppress-complaint"},
            [(EventKind.FAILED, "suppress-complaint"), (EventKind.OPTED_OUT, "suppress-complaint")],
        ),
        ({**FAILED, "reason": "old"}, [(EventKind.SOFT_BOUNCED, "old")]),
        ({**FAILED, "reason": "generic"}, [(EventKind.SOFT_BOUNCED, "generic")]),
        (
            {**FAILED, "reason": "generic", "delivery-status": {"code": 550, "bounce-type": "hard"}},
            [(EventKind.BOUNCED, "generic")],
        ),
        ({"event": "failed", "severity": "temporary", "reason": "generic"}, [(EventKind.DEFERRED, "generic")]),
        ({"event": "failed", "severity": "temporary", "reason": "greylisted"}, [(EventKind.DEFERRED, "greylisted")]),
        ({"event": "rejected", "delivery-status": None}, [(EventKind.FAILED, "")]),
        ({"event": "opened"}, [(EventKind.OPENED, "")]),
        ({"event": "opened", "client-info": {"bot": "apple"}}, [(EventKind.OPENED, "machine")]),
        ({"event": "clicked", "client-info": {"bot": ""}}, [(EventKind.CLICKED, "")]),
        ({"event": "unsubscribed"}, [(EventKind.OPTED_OUT, "")]),
        ({"event": "complained"}, [(EventKind.COMPLAINED, "")]),
        ({"event": "list_member_uploaded"}, []),
    ],
)
def test_it_says_what_an_event_means(event: dict[str, Any], expected: list[tuple[EventKind, str]]) -> None:
    receipts = CASE.provider.parse_receipts(ACCOUNT, call({**DELIVERED, **event}))
    assert [(receipt.kind, receipt.code) for receipt in receipts] == expected
    assert len({receipt.event_id for receipt in receipts}) == len(receipts)


def test_it_reads_variables_that_are_a_list_when_there_are_none() -> None:
    (receipt,) = CASE.provider.parse_receipts(ACCOUNT, call({**DELIVERED, "user-variables": []}))
    assert (receipt.reference, receipt.provider_message_id) == ("", "20180812211713.1.DF59@example.org")
    assert CASE.provider.parse_receipts(ACCOUNT, call({"event": "unsubscribed", "timestamp": 1.0})) == []
