"""What callers say about people."""

import json
from typing import Any

import pytest

from apps.audience.bodies import EndpointBody, RecipientBody, UserBody, checked_user_id
from apps.core.bodies import decode_bytes
from apps.core.locales import canonical_locale, is_timezone
from apps.core.problems import Problem
from apps.core.types import InlineRecipient


def problem_of(kind: Any, body: dict[str, Any], *args: Any) -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        decode_bytes(json.dumps(body).encode(), kind).checked(*args)
    return caught.value.code.value, caught.value.errors[0].pointer


def test_what_is_left_out_stays_and_null_clears() -> None:
    assert decode_bytes(b"{}", UserBody).checked("rosa") == InlineRecipient("rosa")
    cleared = decode_bytes(b'{"locale": null, "timezone": null, "attributes": {}, "blocked": false}', UserBody)
    assert cleared.checked("rosa") == InlineRecipient("rosa", "", "", {}, False)


def test_an_inline_recipient_brings_its_addresses() -> None:
    body = {
        "user_id": "rosa",
        "locale": "de-ch",
        "timezone": "Europe/Zurich",
        "email": "Rosa@Example.com",
        "phone": "+41 44 668 18 00",
        "devices": [{"token": "t1", "platform": "ios"}, {"token": "t2", "platform": "android"}],
    }
    found = decode_bytes(json.dumps(body).encode(), RecipientBody).checked()
    assert (found.user_id, found.locale, found.timezone, found.attributes) == ("rosa", "de-CH", "Europe/Zurich", None)
    assert [address.text for address in found.addresses] == ["Rosa@example.com", "+41446681800", "t1", "t2"]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"locale": "xx"}, "invalid_locale", "/recipient/locale"),
        ({"timezone": "CEST"}, "invalid_timezone", "/recipient/timezone"),
        ({"email": "x"}, "invalid_email", "/recipient/email"),
        ({"phone": "x"}, "invalid_phone", "/recipient/phone"),
        ({"attributes": {"x": "y" * 16_385}}, "out_of_range", "/recipient/attributes"),
        (
            {"devices": [{"token": "a", "platform": "ios"}, {"token": "b c", "platform": "ios"}]},
            "invalid_endpoint",
            "/recipient/devices/1/token",
        ),
        ({"user_id": "a\u200bb"}, "out_of_range", "/recipient/user_id"),
    ],
)
def test_it_points_to_what_is_wrong(body: dict[str, Any], code: str, pointer: str) -> None:
    assert problem_of(RecipientBody, {"user_id": "rosa"} | body) == (code, pointer)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "email"}, "/address"),
        ({"kind": "email", "address": "a@example.com", "platform": "ios"}, "/platform"),
        ({"kind": "device", "address": "t"}, "/platform"),
        ({"kind": "device", "platform": "ios"}, "/address"),
        ({"kind": "web_push", "address": "t"}, "/address"),
        ({"kind": "web_push"}, "/subscription"),
        (
            {"kind": "phone", "subscription": {"endpoint": "https://x.example", "keys": {"p256dh": "", "auth": ""}}},
            "/address",
        ),
    ],
)
def test_each_kind_of_endpoint_has_its_own_fields(body: dict[str, Any], pointer: str) -> None:
    assert problem_of(EndpointBody, body) == ("invalid_endpoint", pointer)


def test_the_inbox_is_no_endpoint_to_register() -> None:
    with pytest.raises(Problem) as caught:
        decode_bytes(b'{"kind": "inbox", "address": "x"}', EndpointBody)
    assert caught.value.errors[0].pointer == "/kind"


@pytest.mark.parametrize("user_id", ["u", "u_42", "Zoë Ø 💌", "a" * 128, "auth0|5f7c"])
def test_it_takes_printable_user_ids(user_id: str) -> None:
    assert checked_user_id(user_id, "") == user_id


@pytest.mark.parametrize("user_id", ["", "a" * 129, "a\nb", "a\x7f", "\u202eabc", "\ud800"])
def test_it_refuses_other_user_ids(user_id: str) -> None:
    with pytest.raises(Problem):
        checked_user_id(user_id, "")


@pytest.mark.parametrize(
    ("tag", "canonical"),
    [
        ("de", "de"),
        ("DE-ch", "de-CH"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("de-PL", "de-PL"),
        ("de-u-co-phonebk", "de"),
        ("en-US-x-twain", "en-US"),
        *(
            (tag, None)
            for tag in (
                "",
                "x",
                "xx",
                "de_DE",
                "de-",
                "de-XX",
                "zz-ZZ",
                "de-Xxxx",
                "deutsch",
                "d\u00e9",
                "de-" + "a" * 40,
            )
        ),
    ],
)
def test_it_knows_locales(tag: str, canonical: str | None) -> None:
    assert canonical_locale(tag) == canonical


def test_it_knows_time_zones() -> None:
    known = ["Europe/Zurich", "UTC", "America/Argentina/Buenos_Aires"]
    unknown = ["", "CEST", "+02:00", "europe/zurich", "../etc/passwd", "localtime"]
    assert [name for name in known + unknown if is_timezone(name)] == known
