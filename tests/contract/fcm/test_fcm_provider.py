"""FCM: the shared cases and the table of its codes."""

from dataclasses import replace
from typing import ClassVar

import msgspec
import pytest

from apps.channels.providers.fcm import FcmProvider
from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Account
from tests.contract.conformance import HttpConformance
from tests.contract.fcm.bodies import fcm_error, google_error, quota_error
from tests.contract.fcm.letters import TOKEN
from tests.contract.scripted import Seen
from tests.simulators.fcm import PROJECT, FcmSimulator

NAME = f"projects/{PROJECT}/messages/0:1500415314455276%31bd1c9631bd1c96"


class TestFcm(HttpConformance):
    name = "fcm"
    channel = Channel.PUSH
    wait_unsaid = 60.0
    refusals: ClassVar = [
        (404, fcm_error("NOT_FOUND", "UNREGISTERED", "Requested entity was not found."), OutcomeKind.INVALID_ADDRESS),
        (
            400,
            fcm_error(
                "INVALID_ARGUMENT", "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token"
            ),
            OutcomeKind.INVALID_ADDRESS,
        ),
        (
            400,
            fcm_error(
                "INVALID_ARGUMENT",
                "INVALID_ARGUMENT",
                "Request contains an invalid argument.",
                fields=["message.token"],
            ),
            OutcomeKind.INVALID_ADDRESS,
        ),
        (403, fcm_error("PERMISSION_DENIED", "SENDER_ID_MISMATCH"), OutcomeKind.INVALID_ADDRESS),
        (
            400,
            fcm_error("INVALID_ARGUMENT", "INVALID_ARGUMENT", "Android message is too big"),
            OutcomeKind.REJECTED,
        ),
        (400, google_error("INVALID_ARGUMENT", fields=["message.android.ttl"]), OutcomeKind.REJECTED),
        (
            400,
            google_error("INVALID_ARGUMENT", fields=["message.data[0].value", "message.token"]),
            OutcomeKind.REJECTED,
        ),
        (404, google_error("NOT_FOUND"), OutcomeKind.MISCONFIGURED),
        (404, b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", OutcomeKind.MISCONFIGURED),
        (403, google_error("PERMISSION_DENIED"), OutcomeKind.MISCONFIGURED),
        (401, google_error("UNAUTHENTICATED"), OutcomeKind.MISCONFIGURED),
        (401, fcm_error("UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), OutcomeKind.MISCONFIGURED),
        (401, fcm_error("UNAUTHENTICATED", "APNS_AUTH_ERROR"), OutcomeKind.MISCONFIGURED),
        (429, fcm_error("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), OutcomeKind.THROTTLED),
        (429, google_error("RESOURCE_EXHAUSTED"), OutcomeKind.THROTTLED),
        (429, quota_error("Device message rate exceeded"), OutcomeKind.THROTTLED),
        (500, fcm_error("INTERNAL", "INTERNAL"), OutcomeKind.TRANSIENT),
        (503, fcm_error("UNAVAILABLE", "UNAVAILABLE"), OutcomeKind.PROVIDER_DOWN),
        (502, b"<html>Bad Gateway</html>", OutcomeKind.PROVIDER_DOWN),
    ]

    @pytest.fixture(autouse=True)
    def _google(self, google: FcmSimulator) -> None:
        """Access tokens come from the simulator, whatever plays FCM."""
        self.google = google

    def account(self, base_url: str) -> Account:
        return replace(super().account(base_url), credentials=self.google.credentials)

    def address(self, number: int) -> str:
        return f"rosa{number}{TOKEN}"

    def content(self) -> dict[str, str]:
        return {"title": "Your code", "body": "Your code is 4711"}

    def accepted(self, seen: Seen) -> tuple[int, bytes, list[str]]:
        name = f"{NAME}-{msgspec.json.decode(seen.body)['message']['data']['reference']}"
        return 200, msgspec.json.encode({"name": name}), [name]


@pytest.mark.parametrize("code", sorted(FcmProvider.kinds))
def test_every_code_of_the_table_has_a_case(code: str) -> None:
    bodies = b"".join(body for _, body, _ in TestFcm.refusals)
    is_ours = code in {"INVALID_TOKEN", "DEVICE_QUOTA_EXCEEDED"}
    assert is_ours or f'"{code}"'.encode() in bodies
