"""An account of APNs, and messages for it."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from msgspec import structs

from apps.channels import apns_tokens, blame
from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Outcome
from tests.contract.conformance import ACCOUNT
from tests.contract.http2_case import Http2Case
from tests.simulators import Request
from tests.simulators.apns import TOPIC, ApnsSimulator

INVALID, REJECTED, MISCONFIGURED = OutcomeKind.INVALID_ADDRESS, OutcomeKind.REJECTED, OutcomeKind.MISCONFIGURED


class ApnsCase(Http2Case):
    name = "apns"
    channel = Channel.PUSH
    credentials = dict(ApnsSimulator.credentials)
    settings: ClassVar[dict[str, object]] = {"topic": TOPIC}

    @pytest.fixture(autouse=True)
    def _fresh_tokens(self) -> Iterator[None]:
        apns_tokens.forget()
        blame.note_success(ACCOUNT)
        yield

    def address(self, number: int) -> str:
        return ApnsSimulator().sample_address(number)

    def content(self) -> dict[str, str]:
        return {"title": "Your code", "body": "Your code is 4711"}

    def sent(self, sim: ApnsSimulator, **changes: Any) -> tuple[Outcome, Request]:
        """One message, changed, through the provider to the simulator."""
        message = structs.replace(self.messages(1)[0], **changes)
        (outcome,) = self.provider.send(self.account(sim.url), [message], deadline=3)
        return outcome, sim.requests[-1]
