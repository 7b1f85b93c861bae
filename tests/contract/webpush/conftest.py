"""One push service for all tests of this folder."""

from collections.abc import Iterator

import pytest

from apps.channels import blame, transport
from apps.core.enums import Channel
from apps.core.types import Account
from tests.contract.conformance import ACCOUNT
from tests.simulators import running
from tests.simulators.webpush import WebPushSimulator


@pytest.fixture(scope="module")
def service() -> Iterator[WebPushSimulator]:
    with running(WebPushSimulator()) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def _know_nothing() -> Iterator[None]:
    blame.forget_standings()
    yield
    transport.close_connections()


@pytest.fixture
def account(service: WebPushSimulator) -> Account:
    service.behave()
    service.requests.clear()
    service.taken.clear()
    return Account(
        id=ACCOUNT,
        key="acme-browsers",
        provider="webpush",
        channel=Channel.PUSH,
        base_url=service.url,
        sender=service.sender,
        credentials=service.credentials,
        connect_timeout=2.0,
        read_timeout=5.0,
        pool_size=32,
    )
