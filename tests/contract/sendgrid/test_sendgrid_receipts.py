"""SendGrid's events: documented bodies, the signature of its own libraries' tests, rotation, replays."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from apps.channels.reading import PartlyUnreadableError
from apps.core.enums import EventKind
from apps.core.types import ProviderCall
from tests.contract.conformance import NOW, ProviderCase
from tests.contract.sendgrid.test_sendgrid_provider import TestSendgrid as Case
from tests.simulators.sendgrid import shown, signed, verification_key

URL = "https://notify.acme.test/v1/receipts/acme-first"
# from the tests of sendgrid-python, and of its sisters in other languages
THEIR_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7"
    "dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
)
THEIR_OTHER_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqTxd43gyp8IOEto2LdIfjRQr"
    "Ibsd4SXZkLW6jDutdhXSJCWHw8REntlo7aNDthvj+y7GjUuFDb/R1NGe1OPzpA=="
)
THEIR_SIGNATURE = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
THEIR_BODY = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":'
    b'"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":'
    b'"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":'
    b'"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
)
THEIR_TIME = datetime.fromtimestamp(1600112502, UTC)

CASE: ProviderCase = Case()
ACCOUNT = CASE.account("http://127.0.0.1:9")


def theirs(**headers: str) -> ProviderCall:
    found = {
        "x-twilio-email-event-webhook-signature": THEIR_SIGNATURE,
        "x-twilio-email-event-webhook-timestamp": "1600112502",
    }
    return ProviderCall(URL, {**found, **headers}, THEIR_BODY)


def is_verified(call: ProviderCall, *secrets: str, now: datetime = THEIR_TIME) -> bool:
    return CASE.provider.verify(replace(ACCOUNT, webhook_secrets=secrets), call, now)


def read(**event: Any) -> list[tuple[EventKind, str]]:
    common = {"email": "rosa@example.com", "timestamp": 1461095250, "sg_event_id": "e1", "notifier_reference": "at_1"}
    body = msgspec.json.encode([{**common, **event}])
    receipts = CASE.provider.parse_receipts(ACCOUNT, ProviderCall(URL, {}, body))
    assert all(r.reference == "at_1" and "rosa" not in r.detail for r in receipts)
    assert len({r.event_id for r in receipts}) == len(receipts)
    return [(receipt.kind, receipt.code) for receipt in receipts]


def test_it_verifies_the_vector_of_sendgrids_own_libraries() -> None:
    assert is_verified(theirs(), THEIR_KEY)
    assert is_verified(theirs(), f"-----BEGIN PUBLIC KEY-----{THEIR_KEY}-----END PUBLIC KEY-----")
    (receipt,) = CASE.provider.parse_receipts(ACCOUNT, theirs())
    assert receipt.kind == EventKind.BOUNCED
    assert receipt.event_id == "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA"
    assert receipt.provider_message_id == "LRzXl_NHStOGhQ4kofSm_A"
    assert receipt.at == datetime.fromtimestamp(1600112492, UTC)


def test_it_refuses_what_their_libraries_refuse() -> None:
    other = "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH3j/0="
    assert not is_verified(theirs(), THEIR_OTHER_KEY)
    assert not is_verified(replace(theirs(), body=b"payload"), THEIR_KEY)
    assert not is_verified(theirs(**{"x-twilio-email-event-webhook-signature": other}), THEIR_KEY)
    assert not is_verified(theirs(**{"x-twilio-email-event-webhook-timestamp": "timestamp"}), THEIR_KEY)


def test_it_takes_any_of_several_keys() -> None:
    assert is_verified(theirs(), THEIR_OTHER_KEY, THEIR_KEY)
    assert not is_verified(theirs())
    assert not is_verified(theirs(), "", "no key at all")


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
    assert is_verified(theirs(), THEIR_KEY, now=THEIR_TIME + age) is is_taken


def test_it_wants_the_login_besides_when_there_is_one() -> None:
    basic = {"authorization": "Basic aG9vazpzZWNyZXQ="}
    assert is_verified(theirs(**basic), THEIR_KEY, "hook:secret")
    assert not is_verified(theirs(), THEIR_KEY, "hook:secret")
    assert not is_verified(theirs(**basic), "hook:secret")


def test_it_refuses_a_signature_of_another_kind_of_key() -> None:
    call = signed(verification_key(2), URL, b"[]", int(NOW.timestamp()))
    assert is_verified(call, shown(verification_key(2)), now=NOW)
    assert not is_verified(call, shown(verification_key(1)), now=NOW)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "processed"}, [(EventKind.SENT, "")]),
        ({"event": "deferred", "response": "451 later", "attempt": "1"}, [(EventKind.DEFERRED, "")]),
        ({"event": "delivered", "response": "250 2.0.0 OK", "tls": 1}, [(EventKind.DELIVERED, "")]),
        ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, [(EventKind.BOUNCED, "5.1.1")]),
        ({"event": "bounce", "type": "blocked", "status": "5.7.1"}, [(EventKind.SOFT_BOUNCED, "5.7.1")]),
        ({"event": "open"}, [(EventKind.OPENED, "")]),
        ({"event": "open", "sg_machine_open": True}, [(EventKind.OPENED, "machine")]),
        ({"event": "click", "url": "https://acme.test", "url_offset": {"index": 0}}, [(EventKind.CLICKED, "")]),
        ({"event": "spamreport"}, [(EventKind.COMPLAINED, "")]),
        ({"event": "unsubscribe"}, [(EventKind.OPTED_OUT, "")]),
        ({"event": "group_unsubscribe", "asm_group_id": 10}, [(EventKind.OPTED_OUT, "")]),
        ({"event": "group_resubscribe", "asm_group_id": 10}, []),
        ({"event": "dropped", "reason": "Bounced Address"}, [(EventKind.BOUNCED, "bounced_address")]),
        (
            {"event": "dropped", "reason": "Unsubscribed Address"},
            [(EventKind.FAILED, "unsubscribed_address"), (EventKind.OPTED_OUT, "unsubscribed_address")],
        ),
        (
            {"event": "dropped", "reason": "Spam Reporting Address"},
            [(EventKind.FAILED, "spam_reporting_address"), (EventKind.OPTED_OUT, "spam_reporting_address")],
        ),
        ({"event": "dropped", "reason": "Invalid"}, [(EventKind.FAILED, "invalid_address")]),
        (
            {"event": "dropped", "reason": "Recipient List over Package Quota"},
            [(EventKind.FAILED, "recipient_list_over_package_quota")],
        ),
        ({"event": "account_status_change", "type": "compliance_suspend"}, []),
        ({"event": "something new"}, []),
    ],
)
def test_it_says_what_an_event_means(event: dict[str, Any], expected: list[tuple[EventKind, str]]) -> None:
    assert read(**event) == expected


def test_it_leaves_out_what_names_no_message() -> None:
    body = b'[{"event":"group_unsubscribe","timestamp":1461095250,"sg_event_id":"e1","email":"rosa@example.com"}]'
    assert CASE.provider.parse_receipts(ACCOUNT, ProviderCall(URL, {}, body)) == []


def test_it_loses_no_event_to_one_that_makes_no_sense() -> None:
    good = {"event": "delivered", "timestamp": 1461095250, "sg_event_id": "e1", "notifier_reference": "at_1"}
    body = msgspec.json.encode([{**good, "timestamp": {}}, good, 7])
    with pytest.raises(PartlyUnreadableError) as raised:
        CASE.provider.parse_receipts(ACCOUNT, ProviderCall(URL, {}, body))
    assert [receipt.event_id for receipt in raised.value.receipts] == ["e1"]
