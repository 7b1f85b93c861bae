"""Addresses: one form each, masked, or refused."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest

from apps.audience.addresses import device_token, email_address, hashed_form, phone_number, web_push_subscription
from apps.core.enums import Channel, EndpointKind, Platform
from apps.core.problems import Problem
from apps.core.types import Address

P256DH = urlsafe_b64encode(b"\x04" + bytes(64)).decode().rstrip("=")
AUTH = urlsafe_b64encode(bytes(16)).decode().rstrip("=")


def refusal(call: Any, *args: Any) -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        call(*args)
    return caught.value.code.value, caught.value.errors[0].pointer


@pytest.mark.parametrize(
    ("given", "text", "hashed", "masked"),
    [
        ("zoe@example.com", "zoe@example.com", "zoe@example.com", "z***@example.com"),
        ("Zoe.W@EXAMPLE.com", "Zoe.W@example.com", "zoe.w@example.com", "Z***@example.com"),
        ("bounce@simulator.test", "bounce@simulator.test", "bounce@simulator.test", "b***@simulator.test"),
        ("zoe+x@münchen.de", "zoe+x@xn--mnchen-3ya.de", "zoe+x@xn--mnchen-3ya.de", "z***@münchen.de"),
    ],
)
def test_it_brings_email_addresses_into_one_form(given: str, text: str, hashed: str, masked: str) -> None:
    assert email_address(given, "/email") == Address(EndpointKind.EMAIL, Channel.EMAIL, text, hashed, masked)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "zoe",
        "zoe@localhost",
        "zoe@example",
        "Zoe <zoe@example.com>",
        " zoe@example.com",
        "zoé@example.com",
        "a@[1.2.3.4]",
    ],
)
def test_it_refuses_what_is_no_email_address(given: str) -> None:
    assert refusal(email_address, given, "/recipient/email") == ("invalid_email", "/recipient/email")


@pytest.mark.parametrize(
    ("given", "text", "masked"),
    [
        ("+4930123456", "+4930123456", "+49*****56"),
        ("+49 (30) 12-34.56", "+4930123456", "+49*****56"),
        ("+41 44 668 18 00", "+41446681800", "+41*****00"),
        *((f"+1500555000{n}", f"+1500555000{n}", f"+1*****0{n}") for n in range(1, 10)),
    ],
)
def test_it_brings_phone_numbers_into_one_form(given: str, text: str, masked: str) -> None:
    assert phone_number(given, "/phone") == Address(EndpointKind.PHONE, Channel.SMS, text, text, masked)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "030123456",
        "+",
        "+1",
        "+999123456789",
        "+1-800-FLOWERS",
        "+447911123456 ext 5",
        "tel:+4930123456",
        "+391234",
    ],
)
def test_it_refuses_what_is_no_phone_number(given: str) -> None:
    assert refusal(phone_number, given, "/phone") == ("invalid_phone", "/phone")


def test_it_takes_device_tokens_as_they_are() -> None:
    token = "fcm:Registration-Token-a1b2"
    expected = Address(EndpointKind.DEVICE, Channel.PUSH, token, token, "token ...a1b2", "ios")
    assert device_token(token, Platform.IOS, "/address") == expected
    assert device_token("short", Platform.IOS, "/address").masked == "token ..."
    assert device_token("x" * 4096, Platform.ANDROID, "/address").text == "x" * 4096


@pytest.mark.parametrize("given", ["", "x" * 4097, "a b", "a\nb", "a\x00b"])
def test_it_refuses_what_is_no_device_token(given: str) -> None:
    assert refusal(device_token, given, Platform.IOS, "/address") == ("invalid_endpoint", "/address")


def test_it_keeps_web_push_subscriptions_as_a_browser_gives_them() -> None:
    found = web_push_subscription("https://push.example.com/send/abcdwxyz", P256DH, AUTH + "==", "/subscription")
    assert (found.kind, found.channel, found.platform) == (EndpointKind.WEB_PUSH, Channel.PUSH, "web")
    assert found.hashed == "https://push.example.com/send/abcdwxyz"
    assert found.masked == "web push ...wxyz"
    assert hashed_form(EndpointKind.WEB_PUSH, found.text) == found.hashed


@pytest.mark.parametrize(
    ("endpoint", "p256dh", "auth", "pointer"),
    [
        ("http://push.example.com/x", P256DH, AUTH, "/subscription/endpoint"),
        ("https:///x", P256DH, AUTH, "/subscription/endpoint"),
        ("https://user:pass@push.example.com/x", P256DH, AUTH, "/subscription/endpoint"),
        ("https://push.example.com/" + "x" * 2048, P256DH, AUTH, "/subscription/endpoint"),
        ("https://push.example.com:x/", P256DH, AUTH, "/subscription/endpoint"),
        ("https://push.example.com/x", P256DH[:-2], AUTH, "/subscription/keys/p256dh"),
        ("https://push.example.com/x", P256DH, "AA", "/subscription/keys/auth"),
        ("https://push.example.com/x", P256DH, AUTH[:-1] + "!", "/subscription/keys/auth"),
        ("https://push.example.com/x", "", AUTH, "/subscription/keys/p256dh"),
    ],
)
def test_it_refuses_broken_subscriptions(endpoint: str, p256dh: str, auth: str, pointer: str) -> None:
    assert refusal(web_push_subscription, endpoint, p256dh, auth, "/subscription") == ("invalid_subscription", pointer)


def test_an_address_is_not_shown_by_accident() -> None:
    shown = repr(email_address("zoe@example.com", ""))
    assert "zoe@example.com" not in shown
    assert "z***@example.com" in shown


def test_a_mask_never_outgrows_its_column() -> None:
    domain = ".".join(["a" * 60] * 4) + ".com"
    assert len(email_address(f"z@{domain}", "").masked) == 100
