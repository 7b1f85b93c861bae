"""Web Push: the shared cases and the table of its answers."""

import json
from typing import ClassVar

from apps.core.enums import Channel, OutcomeKind
from apps.core.types import OutboundMessage
from tests.contract.conformance import HttpConformance
from tests.contract.scripted import Seen
from tests.simulators.webpush import SUBJECT, WebPushSimulator, address


def mozilla(status: int, errno: int, said: str = "") -> bytes:
    """https://mozilla-services.github.io/autopush-rs/errors.html"""
    more = "http://autopush.readthedocs.io/en/latest/http.html#error-codes"
    return json.dumps({"code": status, "errno": errno, "error": "", "message": said, "more_info": more}).encode()


class TestWebPush(HttpConformance):
    name = "webpush"
    channel = Channel.PUSH
    credentials: ClassVar[dict[str, str]] = dict(WebPushSimulator().credentials)
    garbage = ()  # any 2xx is a yes, whatever its body
    refusals: ClassVar = [
        # Google, Mozilla, Apple: the subscription was made with another key
        (
            403,
            b"the VAPID credentials in the authorization header do not correspond to the credentials used to create the"
            b" subscriptions.\n",
            OutcomeKind.INVALID_ADDRESS,
        ),
        (401, mozilla(401, 109, "VAPID public key mismatch"), OutcomeKind.INVALID_ADDRESS),
        (400, b'{"reason":"VapidPkHashMismatch"}', OutcomeKind.INVALID_ADDRESS),
        # our credentials
        (403, b'{"reason":"BadJwtToken"}', OutcomeKind.MISCONFIGURED),
        (401, mozilla(401, 109, "Request did not validate: Invalid VAPID token"), OutcomeKind.MISCONFIGURED),
        # the subscription is gone
        (404, mozilla(404, 102, "Request did not validate: invalid token"), OutcomeKind.INVALID_ADDRESS),
        (410, mozilla(410, 106, "Endpoint has expired"), OutcomeKind.INVALID_ADDRESS),
        (410, b"push subscription has unsubscribed or expired.\n", OutcomeKind.INVALID_ADDRESS),
        (410, b'{"reason":"Unregistered"}', OutcomeKind.INVALID_ADDRESS),
        # the message
        (400, mozilla(400, 110, "Invalid crypto keys"), OutcomeKind.REJECTED),
        (400, b'{"reason":"BadWebPushTopic"}', OutcomeKind.REJECTED),
        (413, mozilla(413, 104, "Data payload too large"), OutcomeKind.REJECTED),
        # the push service
        (429, b'{"reason":"TooManyRequests"}', OutcomeKind.THROTTLED),
        (500, mozilla(500, 999), OutcomeKind.TRANSIENT),
        (503, mozilla(503, 201), OutcomeKind.PROVIDER_DOWN),
    ]

    def sender(self) -> str:
        return SUBJECT

    def address(self, number: int) -> str:
        return address(f"sim-{number}")

    def content(self) -> dict[str, str]:
        return {"title": "Your code", "body": "Your code is 4711"}

    def accepted(self, seen: Seen) -> tuple[int, bytes, list[str]]:
        return 201, b"", [""]

    def place(self, seen: Seen, messages: list[OutboundMessage]) -> int:
        """What is in it, nobody but the browser can read."""
        return int(seen.path.rpartition("-")[2])
