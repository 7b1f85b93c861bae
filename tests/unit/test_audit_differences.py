"""What the audit log keeps of a change, and what it never keeps."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.core.enums import Channel
from apps.tenants.differences import CHANGED, LONGEST, MOST, REMOVED, cleaned, difference


def test_it_keeps_what_changed_and_nothing_else() -> None:
    before = {"name": "Shop", "rate": 5, "is_on": True, "channels": ["sms"]}
    assert difference(before, before | {"rate": 6, "channels": ["sms", "email"]}) == {
        "rate": [5, 6],
        "channels": [["sms"], ["sms", "email"]],
    }


@pytest.mark.parametrize(("old", "new"), [("", None), ([], None), ({}, ""), (None, "")])
def test_nothing_and_empty_are_the_same(old: Any, new: Any) -> None:
    assert difference({"x": old}, {"x": new}) == {}


@pytest.mark.parametrize(
    "name",
    [
        *(
            "secret",
            "webhook_secrets",
            "credentials",
            "password",
            "api_token",
            "secret_hash",
            "sealed",
            "email_from",
            "sender",
        ),
        *(
            "address",
            "phone",
            "body",
            "html",
            "text",
            "content",
            "subject",
            "sample",
            "attributes",
            "url",
            "base_url",
            "data",
        ),
    ],
)
def test_what_is_named_after_a_secret_an_address_or_words_is_changed_and_no_more(name: str) -> None:
    assert difference({name: "old"}, {name: "new"}) == {name: CHANGED}
    assert difference({"settings": {name: "old"}}, {"settings": {name: "new", "port": 25}}) == {
        "settings": [{name: CHANGED}, {name: CHANGED, "port": 25}]
    }


def test_bytes_are_never_kept() -> None:
    assert difference({"x": b"old"}, {"x": memoryview(b"new")}) == {"x": CHANGED}


@pytest.mark.parametrize(
    "text",
    [
        "rosa@acme.example",
        "Acme <rosa@acme.example>",
        "call +49 170 1234567 now",
        "ntf_live_ab12cd34_abcdefghijklmnopqrstuvwxyz012345",
        "whsec_abcdefgh1234",
    ],
)
def test_addresses_and_keys_in_the_middle_of_something_are_taken_out(text: str) -> None:
    kept = str(difference({"rules": {"all": [{"is": "x"}]}}, {"rules": {"all": [{"is": text}]}}))
    assert REMOVED in kept
    assert not any(part in kept for part in ("rosa", "1234567", "abcdefgh"))


def test_a_change_of_nothing_but_an_address_is_still_a_change() -> None:
    assert difference({"rule": "rosa@acme.example"}, {"rule": "bea@acme.example"}) == {"rule": CHANGED}


def test_values_are_written_as_json_has_them() -> None:
    at, id_ = datetime(2026, 11, 21, 9, tzinfo=UTC), UUID(int=7)
    values = [Channel.SMS, at, id_, timedelta(minutes=5), {"b", "a"}, (1, None), 2.5]
    assert cleaned(values) == ["sms", "2026-11-21 09:00:00+00:00", str(id_), "300 s", ["a", "b"], [1, None], 2.5]


def test_what_is_long_is_cut() -> None:
    assert len(cleaned("x" * 100_000)) == LONGEST + 1
    assert len(cleaned(list(range(1000)))) == MOST


@pytest.mark.parametrize("masked", ["r***@acme.example", "+49*****12", "email r***@acme.example: manual"])
def test_a_masked_address_stays(masked: str) -> None:
    assert cleaned(masked) == masked


@pytest.mark.parametrize(
    "text", ["rosa***@acme.example", "r***@a@acme.example", "r*s***@acme.example", "***@acme.example"]
)
def test_what_only_looks_like_a_mask_does_not(text: str) -> None:
    assert REMOVED in cleaned(text)
