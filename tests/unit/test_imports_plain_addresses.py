"""The short way for addresses takes nothing that the full validators refuse, and gives what they give."""

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.audience.addresses import email_address, phone_number
from apps.audience.imports import plain_addresses
from apps.audience.imports.plain_addresses import Known
from apps.core.problems import Problem
from apps.core.types import Address

LOCAL = st.text("abzAZ019.+-_'!@ é\"", min_size=0, max_size=70)
LABEL = st.text("abzAZ09-_.é", min_size=0, max_size=66)
DOMAIN = st.one_of(
    st.builds(
        "{}.{}".format,
        LABEL,
        st.sampled_from(["com", "co.uk", "test", "local", "invalid", "onion", "xn--p1ai", "c", "1"]),
    ),
    st.sampled_from(
        ["example.com", "Example.COM", "localhost", "xn--bcher-kva.example", "[127.0.0.1]", "a..b", "bücher.example"]
    ),
)
CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
PHONE = st.one_of(
    st.builds("+{}{}".format, st.sampled_from(CODES), st.from_regex(r"\A[0-9]{2,14}\Z")),
    st.builds(
        "+{}{}".format, st.sampled_from([1, 7, 39, 44, 49, 52, 54, 55, 61, 800]), st.from_regex(r"\A[0-9]{5,12}\Z")
    ),
    st.text("+0123456789 ()-", max_size=20),
)


def known(address: Address) -> Known:
    return Known(address.text, address.hashed, address.masked)


def judged(full: object, short: object) -> None:
    if isinstance(full, Problem):
        assert isinstance(short, Problem)
        assert (short.code, short.detail) == (full.code, full.detail)
    else:
        assert isinstance(full, Address)
        assert short == known(full)


def full_email(text: str) -> Address | Problem:
    try:
        return email_address(text, "")
    except Problem as problem:
        return problem


def full_phone(text: str) -> Address | Problem:
    try:
        return phone_number(text, "")
    except Problem as problem:
        return problem


@settings(max_examples=2_000, deadline=None)
@given(st.builds("{}@{}".format, LOCAL, DOMAIN))
@example("rosa@example.com")
@example(f"{'a' * 64}@example.com")
@example(f"{'a' * 65}@example.com")
@example(f"rosa@{'a' * 63}.{'b' * 12}.com")
@example("rosa@a@example.com")
@example("rosa")
@example("rosa@example.com\n")
def test_an_email_address_is_what_the_full_validator_says(text: str) -> None:
    judged(full_email(text), plain_addresses.email(text))


@settings(max_examples=1_000, deadline=None)
@given(PHONE)
@example("+41446681800")
@example("+390612345678")
@example("+4400123456")
@example("+11234567890")
@example("+5411150123456")
@example("+80012345678")
def test_a_phone_number_is_what_the_full_validator_says(text: str) -> None:
    judged(full_phone(text), plain_addresses.phone(text))


@pytest.mark.parametrize("text", ["rosa@example.com", "otto.k+news@mail.example.co.uk", "B_2@EXAMPLE.com"])
def test_the_usual_form_takes_the_short_way(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_addresses.email(f"warm@{text.partition('@')[2]}")
    monkeypatch.setattr(plain_addresses, "email_address", None)
    assert isinstance(plain_addresses.email(text), Known)


@pytest.mark.parametrize("text", ["+41446681800", "+4915112345678", "+12025550123", "+33612345678"])
def test_a_plain_number_takes_the_short_way(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_addresses, "phone_number", None)
    assert isinstance(plain_addresses.phone(text), Known)
