"""Every device is reached by an account that can reach it, each through its own provider, and a dead one by none."""

from collections.abc import Iterator

import pytest

from apps.audience.addresses import device_token, web_push_subscription
from apps.audience.models import Endpoint
from apps.audience.services import register_endpoint
from apps.channels import google_tokens, transport
from apps.channels.selectors import forget_cached
from apps.channels.services import create_account
from apps.core.enums import Channel, KeyMode, Platform
from apps.core.types import Address
from apps.ledger.models import Attempt, Delivery
from apps.tenants.selectors import tenant_by_id
from tests.integration.dispatch_cast import notify, person, route, send, tenant
from tests.integration.dispatch_cast import rung as rung  # a fixture
from tests.simulators import running
from tests.simulators.fcm import FcmSimulator
from tests.simulators.webpush import WebPushSimulator, browser

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _leave_nothing(rung: list[str]) -> Iterator[None]:
    forget_cached()
    google_tokens.forget_tokens()
    yield
    transport.close_connections()
    forget_cached()


@pytest.fixture
def google() -> Iterator[FcmSimulator]:
    with running(FcmSimulator()) as simulator:
        create_account(
            key="fcm",
            provider="fcm",
            channel=Channel.PUSH,
            base_url=simulator.url,
            credentials=simulator.credentials,
            order=1,
        )
        yield simulator


@pytest.fixture
def service() -> Iterator[WebPushSimulator]:
    with running(WebPushSimulator()) as simulator:
        create_account(
            key="browsers",
            provider="webpush",
            channel=Channel.PUSH,
            base_url=simulator.url,
            sender=simulator.sender,
            credentials=simulator.credentials,
            order=2,
        )
        yield simulator


def register(*addresses: Address) -> None:
    acme = tenant_by_id(tenant())
    assert acme is not None
    for address in addresses:
        register_endpoint(tenant=acme, recipient_id=person(), address=address)


def subscription(token: str) -> Address:
    found = browser(token).subscription
    return web_push_subscription(found["endpoint"], found["keys"]["p256dh"], found["keys"]["auth"], "")


def push() -> list[tuple[str, str, str]]:
    """(account, status, reason) of each delivery."""
    notify([person()], channels=[Channel.PUSH], mode=KeyMode.LIVE)
    route()
    send("send.transactional.push")
    rows = Delivery.objects.of(tenant()).order_by("id")
    return sorted((row.account, row.status, row.reason) for row in rows)


def test_each_device_has_its_own_carrier(google: FcmSimulator, service: WebPushSimulator) -> None:
    android, ios = (
        device_token(google.sample_address(n), p, "") for n, p in enumerate((Platform.ANDROID, Platform.IOS))
    )
    register(android, ios, subscription("sim-1"))
    assert push() == [("browsers", "sent", ""), ("fcm", "sent", ""), ("fcm", "sent", "")]
    assert {taken.address for taken in google.taken} == {android.text, ios.text}
    assert [taken.address for taken in service.taken] == [browser("sim-1").endpoint]
    references = {taken.reference for taken in (*google.taken, *service.taken)}
    assert len(references) == Attempt.objects.of(tenant()).count() == 3


def test_a_browser_is_never_given_to_who_cannot_reach_it(google: FcmSimulator) -> None:
    register(subscription("sim-1"))
    assert [(status, reason) for _, status, reason in push()] == [("skipped", "no_provider")]
    assert (google.requests, Attempt.objects.of(tenant()).count()) == ([], 0)


def test_who_is_gone_is_retired_and_the_others_are_reached(google: FcmSimulator, service: WebPushSimulator) -> None:
    dead = google.sample_address(1)[:40] + "unregistered" + google.sample_address(1)[52:]
    alive = google.sample_address(2)
    register(
        device_token(dead, Platform.ANDROID, ""),
        device_token(alive, Platform.ANDROID, ""),
        subscription("sim-gone-1"),
        subscription("sim-2"),
    )
    assert push() == [
        ("browsers", "failed", "invalid_address"),
        ("browsers", "sent", ""),
        ("fcm", "failed", "invalid_address"),
        ("fcm", "sent", ""),
    ]
    retired = Endpoint.objects.of(tenant()).exclude(retired_at=None)
    assert {row.masked for row in retired} == {
        device_token(dead, Platform.ANDROID, "").masked,
        subscription("sim-gone-1").masked,
    }
    assert len(google.taken) == len(service.taken) == 1
