"""Links to a recipient's own pages: nobody can guess, change or borrow one."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core import short_tokens
from apps.preferences import links

ROSA, OTTO = UUID("0197a6e2-0000-7000-8000-000000000001"), UUID("0197a6e2-0000-7000-8000-000000000002")
DELIVERY = UUID("0197a6e2-0000-8000-8000-000000000003")
TOPIC = "category:marketing"


@pytest.fixture(autouse=True)
def _public(settings: Any) -> None:
    settings.PUBLIC_URL = "https://notify.acme.test"


def token_of(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2]


def test_a_link_names_one_person_and_what_to_switch_off() -> None:
    url = links.unsubscribe_url(ROSA, DELIVERY, TOPIC, "email")
    assert url.startswith("https://notify.acme.test/unsubscribe/")
    assert links.unsubscribing(token_of(url)) == (ROSA, DELIVERY, TOPIC, "email")
    assert len(links.settings_token(ROSA)) == 43
    assert links.settings_url(ROSA) == f"https://notify.acme.test/preferences/{links.settings_token(ROSA)}/"
    assert links.settings_recipient(links.settings_token(ROSA)) == ROSA
    assert links.viewed_delivery(token_of(links.view_url(DELIVERY))) == DELIVERY


def test_a_token_is_good_for_its_own_purpose_only() -> None:
    unsubscribe = links.unsubscribe_token(ROSA, DELIVERY, TOPIC)
    view, page = token_of(links.view_url(DELIVERY)), links.settings_token(ROSA)
    assert [links.settings_recipient(token) for token in (unsubscribe, view)] == [None, None]
    assert [links.unsubscribing(token) for token in (page, view)] == [None, None]
    assert [links.viewed_delivery(token) for token in (unsubscribe, page)] == [None, None]


def test_a_token_is_never_the_same_for_two_people() -> None:
    tokens = {links.unsubscribe_token(who, DELIVERY, TOPIC, "email") for who in (ROSA, OTTO)}
    assert len(tokens | {links.settings_token(who) for who in (ROSA, OTTO)}) == 4


@settings(deadline=None)
@given(place=st.integers(0, 120), letter=st.sampled_from("ABCXYZabcxyz0189-_"))
def test_no_letter_of_it_can_be_changed(place: int, letter: str) -> None:
    token = links.unsubscribe_token(ROSA, DELIVERY, TOPIC, "email")
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    assert (links.unsubscribing(changed) is None) == (changed != token)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_is_a_token(text: str) -> None:
    assert links.settings_recipient(text) is links.unsubscribing(text) is links.viewed_delivery(text) is None


@pytest.mark.parametrize("payload", [b"", ROSA.bytes, ROSA.bytes + DELIVERY.bytes + b"\x09*", ROSA.bytes * 2 + b"\x00"])
def test_a_signed_payload_of_another_shape_is_no_token(payload: bytes) -> None:
    assert links.unsubscribing(short_tokens.sign("unsubscribe", payload)) is None


def test_a_rotated_secret_still_reads_old_links(settings: Any) -> None:
    token = links.settings_token(ROSA)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "x" * 60, [settings.SECRET_KEY]
    assert links.settings_recipient(token) == ROSA
    settings.SECRET_KEY_FALLBACKS = []
    assert links.settings_recipient(token) is None
