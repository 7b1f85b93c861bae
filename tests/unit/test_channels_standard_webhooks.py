"""Signatures, against the specification's own example and its own library."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.channels.standard_webhooks import is_signed, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
THEN = datetime.fromtimestamp(1614265330, UTC)


def test_it_signs_the_example_of_the_specification() -> None:
    assert sign(SECRET, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=BODY) == HEADERS


def test_it_verifies_the_example_of_the_specification() -> None:
    assert is_signed([SECRET], HEADERS, BODY, THEN)


def test_it_takes_any_of_several_secrets_and_signatures() -> None:
    signatures = f"v2,xyz v1,AAAA {HEADERS['webhook-signature']}"
    assert is_signed(["whsec_AAAA", SECRET], HEADERS | {"webhook-signature": signatures}, BODY, THEN)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_it_refuses_what_is_more_than_five_minutes_away(seconds: int) -> None:
    assert is_signed([SECRET], HEADERS, BODY, THEN + timedelta(seconds=seconds // 301 * 300))
    assert not is_signed([SECRET], HEADERS, BODY, THEN + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "msg_other"},
        {"webhook-id": ""},
        {"webhook-timestamp": "1614265331"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "9" * 30},
        {"webhook-timestamp": "²"},
        {"webhook-signature": ""},
        {"webhook-signature": "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,ü"},
    ],
)
def test_it_refuses_changed_headers(changes: dict[str, str]) -> None:
    assert not is_signed([SECRET], HEADERS | changes, BODY, THEN)


def test_it_refuses_a_changed_body_and_no_secret() -> None:
    assert not is_signed([SECRET], HEADERS, BODY + b" ", THEN)
    assert not is_signed([], HEADERS, BODY, THEN)


def test_an_empty_secret_signs_nothing() -> None:
    forged = sign("", message_id="msg_1", timestamp=1614265330, body=BODY)
    assert not is_signed([""], forged, BODY, THEN)
