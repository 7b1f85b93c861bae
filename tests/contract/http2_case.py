"""What the cases of a provider over HTTP/2 have in common: a peer that answers as it is told."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from apps.channels import http2, transport
from apps.core.enums import OutcomeKind
from apps.core.types import Account, Outcome
from tests.contract.conformance import ProviderCase
from tests.simulators import Reply, Request, Simulator


class Peer(Simulator):
    """Answers as the case says."""

    name = "peer"

    def __init__(self, answer: Callable[[Request], Reply], max_streams: int = 100) -> None:
        super().__init__()
        self.answer = answer
        self.max_streams = max_streams

    def reply(self, request: Request) -> Reply:
        return self.answer(request)


class Http2Case(ProviderCase):
    def account(self, base_url: str) -> Account:
        """More patient: here a time-out is noticed by others, and a busy machine must not make one."""
        return replace(super().account(base_url), connect_timeout=1.5, read_timeout=1.0)

    @pytest.fixture(autouse=True)
    def _leave_no_connection(self) -> Iterator[None]:
        yield
        http2.close_connections()
        transport.close_connections()

    def kinds(self, outcomes: list[Outcome]) -> list[OutcomeKind]:
        return [outcome.kind for outcome in outcomes]

    def told(self, outcomes: list[Outcome]) -> list[tuple[OutcomeKind, str]]:
        return [(outcome.kind, outcome.code) for outcome in outcomes]

    def accepted(self, request: Request) -> tuple[Reply, str]:
        """The answer that accepts this request, and the provider's message id."""
        raise NotImplementedError

    def peer(self, reply: Reply | None = None, max_streams: int = 100) -> Peer:
        return Peer(lambda request: reply or self.accepted(request)[0], max_streams)
