"""Google for all tests of this folder: tokens and FCM from one simulator."""

from collections.abc import Iterator

import pytest

from apps.channels import blame, google_tokens, transport
from apps.core.enums import Channel
from apps.core.types import Account
from tests.contract.conformance import ACCOUNT
from tests.simulators import running
from tests.simulators.fcm import FcmSimulator


@pytest.fixture(scope="module")
def google() -> Iterator[FcmSimulator]:
    with running(FcmSimulator()) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def _know_nothing() -> Iterator[None]:
    google_tokens.forget_tokens()
    blame.forget_standings()
    yield
    transport.close_connections()


@pytest.fixture
def account(google: FcmSimulator) -> Account:
    google.behave()
    google.requests.clear()
    return Account(
        id=ACCOUNT,
        key="acme-push",
        provider="fcm",
        channel=Channel.PUSH,
        base_url=google.url,
        sender="",
        credentials=google.credentials,
        connect_timeout=2.0,
        read_timeout=5.0,
        pool_size=32,
    )
