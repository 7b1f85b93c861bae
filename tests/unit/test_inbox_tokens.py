from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.core import signing

from apps.inbox.tokens import InboxViewer, bearer_token, mint, viewer_of

ACME = UUID("018f0000-0000-7000-8000-00000000000a")
ROSA = UUID("018f0000-0000-7000-8000-0000000000f1")
NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
ONE = timedelta(seconds=1)


def token(now: datetime = NOW, seconds: int = 3600) -> str:
    return mint(tenant_id=ACME, recipient_id=ROSA, expires_in=timedelta(seconds=seconds), now=now)[0]


def test_a_token_stands_for_one_recipient_of_one_tenant_until_it_ends():
    text, expires_at = mint(tenant_id=ACME, recipient_id=ROSA, expires_in=timedelta(hours=1), now=NOW)

    assert expires_at == datetime(2026, 3, 1, 13, 0, 0, tzinfo=UTC)
    assert viewer_of(text, now=NOW) == InboxViewer(ACME, ROSA, expires_at)
    assert viewer_of(text, now=expires_at - ONE) == InboxViewer(ACME, ROSA, expires_at)
    assert viewer_of(text, now=expires_at) is None


def test_it_refuses_a_token_of_which_any_character_was_changed():
    text = token()

    for index, char in enumerate(text):
        forged = text[:index] + ("A" if char != "A" else "B") + text[index + 1 :]
        assert viewer_of(forged, now=NOW) is None, index


@pytest.mark.parametrize("text", ["", ":", "a:b:c", "ntf_live_abcdefgh_" + "x" * 32, "ü" * 40, "x" * 100_000, "\x00"])
def test_it_refuses_what_is_no_token(text):
    assert viewer_of(text, now=NOW) is None


def test_it_refuses_a_token_signed_for_another_purpose():
    claims = [ACME.hex, ROSA.hex, int((NOW + timedelta(hours=1)).timestamp())]

    assert viewer_of(signing.dumps(claims, salt="preferences.viewer"), now=NOW) is None
    assert viewer_of(signing.dumps(claims), now=NOW) is None


def test_it_refuses_a_token_signed_with_another_key(settings):
    text = token()
    settings.SECRET_KEY = "another-key-0123456789-0123456789-0123456789-0123456789"

    assert viewer_of(text, now=NOW) is None


def test_tokens_made_before_the_secret_changed_hold_while_it_is_a_fallback(settings):
    text = token()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-0123456789-0123456789-0123456789-0123456789"

    assert viewer_of(text, now=NOW) is not None


@pytest.mark.parametrize(
    ("header", "found"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", ""), ("abc", ""), ("", ""), ("Bearer", "")],
)
def test_the_token_is_taken_from_a_bearer_header_only(header, found):
    assert bearer_token(header) == found
