"""Who judges: pywebpush as it is against the simulator, http_ece against our letters, the RFCs' own examples against both."""

import http_ece
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid
from pywebpush import WebPushException, webpush

from apps.core.types import Account
from tests.simulators.webpush import SUBJECT, Browser, WebPushSimulator, b64, browser, public, unb64

# RFC 8291 section 5
PLAINTEXT = b"When I grow up, I want to be a watermelon"
RECEIVER = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
RECEIVER_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95b"
    "Qpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
# RFC 8292 section 2.4
VAPID_TOKEN = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6"
    "Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHz"
    "voD1oA"
)
VAPID_KEY = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"


def key_of(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(unb64(text), "big"), ec.SECP256R1())


def test_the_browser_opens_the_example_of_the_rfc() -> None:
    reader = Browser("", key_of(RECEIVER), unb64(AUTH))
    assert b64(public(reader.private_key)) == RECEIVER_PUBLIC
    assert reader.opened(unb64(BODY)) == PLAINTEXT


def test_the_library_beneath_the_sdk_seals_the_example_of_the_rfc() -> None:
    sealed = http_ece.encrypt(
        PLAINTEXT,
        salt=unb64(SALT),
        private_key=key_of(SENDER),
        dh=unb64(RECEIVER_PUBLIC),
        auth_secret=unb64(AUTH),
        version="aes128gcm",
    )
    assert b64(sealed) == BODY


def test_the_example_of_vapid_is_verified() -> None:
    """By the library of the simulator and by the one that signs."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(VAPID_KEY))
    claims = jwt.decode(VAPID_TOKEN, key, ["ES256"], audience="https://push.example.net", options={"verify_exp": False})
    assert claims == {"aud": "https://push.example.net", "exp": 1453523768, "sub": "mailto:push@example.com"}
    assert Vapid.verify(f"vapid t={VAPID_TOKEN},k={VAPID_KEY}")


def push(service: WebPushSimulator, token: str, data: str, **given: object) -> int:
    subscription = {**browser(token).subscription, "endpoint": f"{service.url}/wpush/v2/{token}"}
    key = given.pop("key", service.credentials["private_key"])
    answer = webpush(subscription, data, vapid_private_key=key, vapid_claims={"sub": SUBJECT}, timeout=5, **given)
    return int(answer.status_code)


def test_the_sdk_is_understood(account: Account, service: WebPushSimulator) -> None:
    headers = {"Topic": "orders", "Urgency": "low"}
    assert push(service, "sim-7", '{"reference": "at_1", "title": "Hi"}', ttl=60, headers=headers) == 201
    (taken,) = service.taken
    assert (taken.reference, taken.address) == ("at_1", browser("sim-7").endpoint)


@pytest.mark.parametrize(
    ("token", "given", "status"),
    [
        ("sim-gone-1", {}, 410),
        ("nobody", {}, 404),
        ("sim-other-1", {}, 401),
        ("sim-1", {"key": b64(b"\x01" * 32)}, 401),
        ("sim-1", {"headers": {"Topic": "not a topic"}}, 400),
        ("sim-1", {"headers": {"Urgency": "now"}}, 400),
        ("sim-1", {"content_encoding": "aesgcm"}, 400),
    ],
)
def test_the_simulator_refuses_what_a_push_service_would(
    account: Account, service: WebPushSimulator, token: str, given: dict[str, object], status: int
) -> None:
    with pytest.raises(WebPushException) as refused:
        push(service, token, "{}", **given)
    assert refused.value.status_code == status
    assert service.taken == []


def test_the_simulator_takes_one_record_only(account: Account, service: WebPushSimulator) -> None:
    """The SDK encrypts more without a word."""
    assert push(service, "sim-1", "x" * 3993) == 201
    with pytest.raises(WebPushException) as refused:
        push(service, "sim-1", "x" * 3994)
    assert refused.value.status_code == 413
