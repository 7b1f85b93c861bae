"""What a push service and the browser behind it get, checked field by field, and what is not sent."""

from collections import OrderedDict
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import msgspec
import pytest

from apps.channels import vapid
from apps.channels.deadlines import Deadline
from apps.channels.providers.webpush import WebPushProvider
from apps.core import clock
from apps.core.enums import Category, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome
from tests.contract.scripted import answer, scripted
from tests.contract.webpush.letters import message
from tests.simulators.webpush import SUBJECT, WebPushSimulator, address, browser


def send(account: Account, *messages: OutboundMessage) -> list[Outcome]:
    return WebPushProvider().send(account, messages, deadline=5.0)


def shown(service: WebPushSimulator) -> dict[str, Any]:
    """What the service worker of the last message's browser reads."""
    request = service.requests[-1]
    plaintext = browser(request.path.rpartition("/")[2]).opened(request.body)
    return msgspec.json.decode(plaintext, type=dict[str, Any])


def claims(service: WebPushSimulator) -> dict[str, Any]:
    token = service.requests[-1].headers["authorization"].partition("t=")[2].partition(",")[0]
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def test_the_browser_reads_what_was_meant_for_it(account: Account, service: WebPushSimulator) -> None:
    content = {**message().content, "image_url": "https://acme.example/a.png", "badge": "3"}
    (outcome,) = send(account, message(content=content, ttl=300))
    (taken,) = service.taken
    assert (outcome.kind, outcome.provider_message_id) == (OutcomeKind.ACCEPTED, taken.message_id)
    assert (taken.reference, taken.delivery) == (message().reference, message().delivery)
    assert shown(service) == {
        "title": "Shipped",
        "body": "Order 42 is on its way",
        "action_url": "https://acme.example/42",
        "image_url": "https://acme.example/a.png",
        "badge": 3,
        "tag": "dl_06akp3c9tr7y5kq8h2m1v4w6xe",
        "reference": "at_06akp3c9tr7y5kq8h2m1v4w6xd",
        "delivery": "dl_06akp3c9tr7y5kq8h2m1v4w6xe",
    }
    headers = service.requests[-1].headers
    assert {name: headers[name] for name in ("ttl", "urgency", "topic", "content-encoding", "content-type")} == {
        "ttl": "300",
        "urgency": "high",
        "topic": "dl_06akp3c9tr7y5kq8h2m1v4w6xe",
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
    }
    assert service.requests[-1].path == "/wpush/v2/sim-1"


@pytest.mark.parametrize(
    ("category", "urgency"),
    [(Category.CRITICAL, "high"), (Category.SOCIAL, "normal"), (Category.MARKETING, "low")],
)
def test_urgency_is_the_categorys(
    account: Account, service: WebPushSimulator, category: Category, urgency: str
) -> None:
    send(account, message(category=category))
    assert service.requests[-1].headers["urgency"] == urgency


@pytest.mark.parametrize(
    ("given", "settings", "ttl"),
    [(10**9, {}, "2419200"), (None, {}, "2419200"), (None, {"ttl": 60}, "60"), (1, {}, "1")],
)
def test_it_is_kept_as_long_as_it_is_good(
    account: Account, service: WebPushSimulator, given: int | None, settings: dict[str, int], ttl: str
) -> None:
    send(replace(account, settings=settings), message(ttl=given))
    assert service.requests[-1].headers["ttl"] == ttl


def test_what_has_the_same_collapse_id_has_the_same_topic(account: Account, service: WebPushSimulator) -> None:
    content = {**message().content, "collapse_id": "order.shipped: 42"}
    send(account, message(content=content))
    first = service.requests[-1].headers["topic"]
    send(account, message(content=content, delivery="dl_other"))
    assert service.requests[-1].headers["topic"] == first
    assert len(first) == 32
    assert shown(service)["tag"] == "order.shipped: 42"


def test_each_letter_is_sealed_anew(account: Account, service: WebPushSimulator) -> None:
    """Salt and key are never used twice (RFC 8188 section 2.1)."""
    send(account, message())
    send(account, message())
    first, second = (request.body for request in service.requests)
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]


def test_it_sends_3993_bytes_and_no_more(account: Account, service: WebPushSimulator) -> None:
    def of(length: int) -> OutboundMessage:
        return message(content={"title": "ä", "body": "x" * length})

    (over,) = send(account, of(4000))
    most = 3993 - (int(over.detail.split(" ")[4]) - 4000)
    assert send(account, of(most + 1))[0].detail == "The push payload has 3994 bytes; Web Push takes 3993."
    assert (over.kind, over.code, service.requests) == (OutcomeKind.REJECTED, "untranslatable", [])
    assert send(account, of(most))[0].kind == OutcomeKind.ACCEPTED
    assert len(service.requests[-1].body) == 4096


def test_one_signature_serves_a_push_service_for_hours(
    account: Account, service: WebPushSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vapid, "_signed", OrderedDict())
    signed = []
    now = clock.now()
    for hours in (0, 5, 7):
        monkeypatch.setattr(clock, "now", lambda hours=hours: now + timedelta(hours=hours))
        send(account, message())
        signed.append(claims(service))
    first, second, third = signed
    expected = int((now + timedelta(hours=12)).timestamp())
    assert first == {"aud": service.url, "sub": SUBJECT, "exp": expected}
    assert second == first
    assert third == first | {"exp": expected + 7 * 3600}


def test_each_push_service_gets_its_own_claims(account: Account) -> None:
    """One dictionary for all would tell Google what is meant for Mozilla."""
    seen = []
    for origin in ("https://updates.push.services.mozilla.com", "https://fcm.googleapis.com"):
        value = vapid.authorization(account, origin, clock.now())
        token = value.partition("t=")[2].partition(",")[0]
        seen.append(jwt.decode(token, options={"verify_signature": False})["aud"])
    assert seen == ["https://updates.push.services.mozilla.com", "https://fcm.googleapis.com"]


@pytest.mark.parametrize("form", ["raw", "der", "pem"])
def test_the_key_comes_in_any_of_its_forms(account: Account, service: WebPushSimulator, form: str) -> None:
    from py_vapid import Vapid

    key = Vapid.from_string(service.credentials["private_key"])
    pem = key.private_pem().decode()
    given = {"raw": service.credentials["private_key"], "pem": pem, "der": "".join(pem.splitlines()[1:-1])}[form]
    assert send(replace(account, credentials={"private_key": given}), message())[0].kind == OutcomeKind.ACCEPTED


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"credentials": {}}, "bad_vapid_key"),
        ({"credentials": {"private_key": "rosa"}}, "bad_vapid_key"),
        ({"sender": "rosa"}, "bad_vapid_subject"),
        ({"sender": ""}, "bad_vapid_subject"),
    ],
)
def test_credentials_of_no_use_are_ours_to_mend(
    account: Account, service: WebPushSimulator, given: dict[str, Any], code: str
) -> None:
    (outcome,) = send(replace(account, **given), message())
    assert (outcome.kind, outcome.code, service.requests) == (OutcomeKind.MISCONFIGURED, code, [])


def test_its_credentials_are_checked_as_far_as_they_can_be(account: Account, service: WebPushSimulator) -> None:
    deadline = Deadline(5, 2, 5)
    assert WebPushProvider().check_credentials(account, deadline) is None
    wrong = WebPushProvider().check_credentials(replace(account, credentials={}), deadline)
    assert wrong and (wrong.kind, wrong.code) == (OutcomeKind.MISCONFIGURED, "bad_vapid_key")
    assert service.requests == []


@pytest.mark.parametrize(
    "given",
    [
        "rosa",
        '{"endpoint": "https://fcm.googleapis.com/x"}',
        '{"endpoint": "https://fcm.googleapis.com/x", "keys": {"p256dh": "AAAA", "auth": "AAAA"}}',
        address("sim-1").replace("mozilla", "mozi11a"),
        address("sim-1").replace("https", "http"),
        address("sim-1").replace("mozilla.com", "mozilla.com:8443"),
        address("sim-1").replace("https://", "https://rosa:secret@"),
    ],
)
def test_it_sends_to_nobody_but_push_services(account: Account, service: WebPushSimulator, given: str) -> None:
    (outcome,) = send(account, message(address=given))
    assert (outcome.kind, outcome.code, service.requests) == (OutcomeKind.REJECTED, "untranslatable", [])
    assert "secret" not in outcome.detail


def test_it_never_connects_to_our_own_network(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of a push service that leads to this very machine."""
    with scripted(answer(201)) as server:
        found = [(2, 1, 6, "", ("127.0.0.1", server.port))]
        monkeypatch.setattr("apps.channels.connections.resolve", lambda *_: found)
        (outcome,) = send(replace(account, base_url=""), message())
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "forbidden_address")
    assert (server.connections, server.requests) == (0, [])


def test_an_operator_may_know_more_push_services(account: Account) -> None:
    own = address("sim-1").replace("updates.push.services.mozilla.com", "eu.push.acme.example")
    assert send(account, message(address=own))[0].kind == OutcomeKind.REJECTED
    other = own.replace("eu.push.acme.example", "evil.example")
    for hosts in (["*.Push.acme.example"], "*.push.acme.example"):
        knowing = replace(account, settings={"hosts": hosts})
        assert send(knowing, message(address=own))[0].kind == OutcomeKind.ACCEPTED
        assert send(knowing, message(address=other))[0].kind == OutcomeKind.REJECTED


def test_a_403_is_the_subscriptions_while_others_are_accepted(account: Account, service: WebPushSimulator) -> None:
    """And again ours when it is said to one after another."""

    def refused() -> OutcomeKind:
        service.behave(status=403)
        kind = send(account, message())[0].kind
        service.behave()
        return kind

    assert refused() == OutcomeKind.MISCONFIGURED
    assert send(account, message())[0].kind == OutcomeKind.ACCEPTED
    assert [refused() for _ in range(6)] == [OutcomeKind.INVALID_ADDRESS] * 5 + [OutcomeKind.MISCONFIGURED]


def test_a_row_of_foreign_subscriptions_is_our_own_fault(account: Account) -> None:
    """A wrong key must not cost every browser."""
    foreign = [message(address=address(f"sim-other-{n}")) for n in range(7)]
    kinds = [send(account, one)[0].kind for one in foreign]
    assert kinds == [OutcomeKind.INVALID_ADDRESS] * 5 + [OutcomeKind.MISCONFIGURED] * 2


def test_it_carries_subscriptions_only() -> None:
    assert [p for p in ("ios", "android", "web", "web_push") if WebPushProvider().carries(p)] == ["web_push"]
