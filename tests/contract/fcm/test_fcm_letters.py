"""What FCM gets on the wire, checked field by field, and what is not sent to it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.channels.deadlines import Deadline
from apps.channels.providers.fcm import FcmProvider
from apps.core.enums import Category, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome
from tests.contract.fcm.bodies import fcm_error, google_error, quota_error
from tests.contract.fcm.letters import TOKEN, message
from tests.contract.scripted import answer, scripted
from tests.simulators.fcm import PROJECT, FcmSimulator


def sent(account: Account, one: OutboundMessage, google: FcmSimulator) -> tuple[Outcome, dict[str, Any]]:
    (outcome,) = FcmProvider().send(account, [one], deadline=5.0)
    return outcome, google.requests[-1].json()


def test_it_writes_an_android_message(account: Account, google: FcmSimulator) -> None:
    outcome, body = sent(account, message(ttl=300, content={**message().content, "badge": "3"}), google)
    assert outcome.kind == OutcomeKind.ACCEPTED
    assert outcome.provider_message_id.startswith(f"projects/{PROJECT}/messages/0:")
    assert body == {
        "message": {
            "token": TOKEN,
            "notification": {"title": "Shipped", "body": "Order 42 is on its way"},
            "data": {
                "reference": "at_06akp3c9tr7y5kq8h2m1v4w6xd",
                "delivery": "dl_06akp3c9tr7y5kq8h2m1v4w6xe",
                "action_url": "acme://orders/42",
            },
            "android": {
                "priority": "high",
                "ttl": "300s",
                "notification": {"tag": "dl_06akp3c9tr7y5kq8h2m1v4w6xe", "notification_count": 3},
            },
            "fcm_options": {"analytics_label": "transactional"},
        }
    }
    request = google.requests[-1]
    assert request.path == f"/v1/projects/{PROJECT}/messages:send"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"].startswith("Bearer ya29.")
    (taken,) = [one for one in google.taken if one.message_id == outcome.provider_message_id]
    assert (taken.reference, taken.delivery) == (message().reference, message().delivery)


def test_it_writes_an_ios_message(account: Account, google: FcmSimulator) -> None:
    content = {"title": "Hi", "body": "There", "image_url": "https://acme.example/a.png", "badge": "0"}
    until = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
    _, body = sent(account, message(platform="ios", content=content, expires_at=until, ttl=60), google)
    assert body["message"]["apns"] == {
        "headers": {
            "apns-collapse-id": "dl_06akp3c9tr7y5kq8h2m1v4w6xe",
            "apns-priority": "10",
            "apns-expiration": "1803902400",
        },
        "payload": {"aps": {"badge": 0, "sound": "default", "mutable-content": 1}},
    }
    assert body["message"]["notification"] == {
        "title": "Hi",
        "body": "There",
        "image": "https://acme.example/a.png",
    }
    assert body["message"].keys() == {"token", "notification", "data", "apns", "fcm_options"}


def test_it_writes_a_web_message(account: Account, google: FcmSimulator) -> None:
    content = {"title": "Sale", "body": "Now", "action_url": "https://acme.example/sale", "collapse_id": "sale/spring"}
    one = message(platform="web", content=content, category=Category.MARKETING, ttl=10**9)
    _, body = sent(account, one, google)
    webpush = body["message"]["webpush"]
    assert webpush["headers"].pop("Topic") != one.delivery
    assert webpush == {
        "headers": {"Urgency": "normal", "TTL": "2419200"},
        "notification": {"tag": "sale/spring"},
        "fcm_options": {"link": "https://acme.example/sale"},
    }
    assert body["message"]["fcm_options"] == {"analytics_label": "marketing"}


def test_it_collapses_on_request(account: Account, google: FcmSimulator) -> None:
    content = {**message().content, "collapse_id": "order.shipped:42"}
    _, body = sent(account, message(content=content, category=Category.SOCIAL), google)
    assert body["message"]["android"] == {
        "priority": "normal",
        "collapse_key": "order.shipped:42",
        "notification": {"tag": "order.shipped:42"},
    }


def test_it_obeys_the_accounts_settings(account: Account, google: FcmSimulator) -> None:
    settings = {"validate_only": True, "analytics_label": "spring", "android_channel_id": "orders"}
    before = len(google.taken)
    outcome, body = sent(replace(account, settings=settings), message(), google)
    assert (outcome.kind, len(google.taken)) == (OutcomeKind.ACCEPTED, before)
    assert body["validate_only"] is True
    assert body["message"]["fcm_options"] == {"analytics_label": "spring"}
    assert body["message"]["android"]["notification"]["channel_id"] == "orders"


@pytest.mark.parametrize("platform", ["android", "ios", "web"])
def test_it_sends_4096_bytes_and_no_more(account: Account, google: FcmSimulator, platform: str) -> None:
    def size(length: int) -> OutboundMessage:
        return message(platform=platform, content={"title": "Hi", "body": "x" * length})

    def outcome(one: OutboundMessage) -> Outcome:
        return FcmProvider().send(account, [one], deadline=5.0)[0]

    google.requests.clear()
    over = outcome(size(4000))
    assert (over.kind, over.code) == (OutcomeKind.REJECTED, "untranslatable")
    most = 4096 - (int(over.detail.split(" ")[4]) - 4000)
    assert outcome(size(most + 1)).detail == "The push payload has 4097 bytes; FCM takes 4096."
    assert google.requests == []
    assert outcome(size(most)).kind == OutcomeKind.ACCEPTED


def test_what_it_refuses_to_express_is_not_sent(account: Account, google: FcmSimulator) -> None:
    google.requests.clear()
    (outcome,) = FcmProvider().send(
        replace(account, settings={"analytics_label": "no spaces"}), [message()], deadline=5
    )
    assert (outcome.kind, outcome.detail) == (OutcomeKind.REJECTED, "Malformed FCMOptions.analytics_label.")
    assert google.requests == []


def test_it_names_the_field_but_not_what_was_in_it(account: Account) -> None:
    body = google_error("INVALID_ARGUMENT", "Invalid value: rosa", fields=["message.android.ttl"])
    with scripted(answer(400, body)) as server:
        (outcome,) = FcmProvider().send(replace(account, base_url=server.url), [message()], deadline=5.0)
    assert (outcome.code, outcome.detail) == ("INVALID_ARGUMENT", "message.android.ttl")


def test_it_waits_as_the_documentation_advises(account: Account) -> None:
    waits = {}
    for status, headers in [(503, {}), (500, {}), (503, {"Retry-After": "33"}), (400, {})]:
        with scripted(answer(status, headers=headers)) as server:
            (outcome,) = FcmProvider().send(replace(account, base_url=server.url), [message()], deadline=5.0)
        waits[status, len(headers)] = outcome.retry_after
    assert waits == {(503, 0): 10.0, (500, 0): 10.0, (503, 1): 33.0, (400, 0): None}


@pytest.mark.parametrize(
    ("said", "code"),
    [("Device message rate exceeded", "DEVICE_QUOTA_EXCEEDED"), ("Message rate exceeded", "QUOTA_EXCEEDED")],
)
def test_one_devices_quota_is_that_devices(account: Account, said: str, code: str) -> None:
    with scripted(answer(429, quota_error(said))) as server:
        (outcome,) = FcmProvider().send(replace(account, base_url=server.url), [message()], deadline=5.0)
    assert (outcome.kind, outcome.code, outcome.retry_after) == (OutcomeKind.THROTTLED, code, 60.0)
    assert (code in FcmProvider.throttled_alone) is (code == "DEVICE_QUOTA_EXCEEDED")


@pytest.mark.parametrize("code", ["THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"])
def test_firebases_key_for_apple_does_not_stop_android(account: Account, code: str) -> None:
    with scripted(answer(401, fcm_error("UNAUTHENTICATED", code))) as server:
        (outcome,) = FcmProvider().send(replace(account, base_url=server.url), [message()], deadline=5.0)
    assert (outcome.kind, outcome.code) == (OutcomeKind.MISCONFIGURED, code)
    assert code in FcmProvider.soft_config


def test_its_credentials_are_checked_without_sending(account: Account, google: FcmSimulator) -> None:
    before = len(google.taken)

    def check(one: Account) -> tuple[OutcomeKind, str]:
        outcome = FcmProvider().check_credentials(one, Deadline(5, 2, 5))
        assert outcome is not None
        return outcome.kind, outcome.detail or outcome.code

    assert check(account) == (OutcomeKind.ACCEPTED, "FCM knows the service account and the project.")
    elsewhere = replace(account, settings={"project_id": "elsewhere"})
    assert check(elsewhere) == (OutcomeKind.MISCONFIGURED, "PERMISSION_DENIED")
    assert check(replace(account, credentials={}))[0] == OutcomeKind.MISCONFIGURED
    assert [r.json().get("validate_only") for r in google.requests if r.path != "/token"] == [True] * 2
    assert len(google.taken) == before


def test_a_row_of_foreign_tokens_is_our_own_fault(account: Account, google: FcmSimulator) -> None:
    """A wrong project must not cost every address."""
    foreign = message(address=TOKEN.replace("Zx_4Zx_4", "mismatch", 1))

    def kinds(*some: OutboundMessage) -> list[OutcomeKind]:
        return [FcmProvider().send(account, [one], deadline=5.0)[0].kind for one in some]

    assert kinds(*[foreign] * 5) == [OutcomeKind.INVALID_ADDRESS] * 5
    assert kinds(foreign, foreign) == [OutcomeKind.MISCONFIGURED] * 2
    assert kinds(message(), foreign) == [OutcomeKind.ACCEPTED, OutcomeKind.INVALID_ADDRESS]


def test_it_carries_fcms_own_tokens_only() -> None:
    provider = FcmProvider()
    assert [platform for platform in ("ios", "android", "web", "web_push") if provider.carries(platform)] == [
        "ios",
        "android",
        "web",
    ]


def test_an_account_may_leave_a_platform_to_others(account: Account) -> None:
    narrowed = replace(account, settings={"platforms": ["android", "web"]})
    assert not FcmProvider().carries("ios", narrowed)
    assert FcmProvider().carries("android", narrowed)
    single = replace(account, settings={"platforms": "web"})
    assert [p for p in ("ios", "android", "web") if FcmProvider().carries(p, single)] == ["web"]
