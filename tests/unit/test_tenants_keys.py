"""API keys as text."""

from hashlib import sha256

import pytest

from apps.core.enums import KeyMode
from apps.tenants.keys import IssuedKey, new_token, read_token


@pytest.mark.parametrize("mode", list(KeyMode))
def test_it_reads_what_it_makes(mode: KeyMode) -> None:
    token = new_token(mode)
    head, shown_mode, prefix, secret = token.text.split("_")
    assert (head, shown_mode, len(prefix), len(secret)) == ("ntf", mode.value, 8, 32)
    assert read_token(token.text) == token
    assert token.hash == sha256(token.text.encode()).digest()


def test_it_keeps_the_prefix_when_the_secret_changes() -> None:
    first = new_token(KeyMode.LIVE)
    second = new_token(KeyMode.LIVE, first.prefix)
    assert second.prefix == first.prefix
    assert second.text != first.text


def test_it_shows_no_secret_by_accident() -> None:
    token = new_token(KeyMode.LIVE)
    assert token.text not in repr(token)
    assert token.text not in repr(IssuedKey(key_id=None, prefix=token.prefix, token=token.text))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ntf_live_abcdefgh",
        "ntf_prod_abcdefgh_" + "a" * 32,
        "ntf_live_abcdefgh_" + "a" * 31,
        "ntf_live_abcdefgh_" + "a" * 33,
        "ntf_live_abcdefgh_" + "a" * 31 + "-",
        "ntf_live_abcdefgh_" + "a" * 32 + "\n",
        "ntf_live_abcdefgh_" + "ä" * 32,
        "xntf_live_abcdefgh_" + "a" * 32,
    ],
)
def test_it_refuses_what_has_not_the_shape_of_a_key(text: str) -> None:
    assert read_token(text) is None
