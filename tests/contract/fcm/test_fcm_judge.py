"""The SDK as it is, but for its address and its retries, judges both our letters and the simulator."""

import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import firebase_admin
import msgspec
import pytest
from firebase_admin import credentials, exceptions, messaging
from requests.adapters import HTTPAdapter

from apps.channels.providers.fcm import FcmProvider
from apps.core.types import Account
from tests.contract.fcm.letters import TOKEN, message
from tests.simulators.fcm import PROJECT, FcmSimulator, service_account


@pytest.fixture
def _here_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's library asks iamcredentials.googleapis.com behind one's back, in a thread of its own, for every new token."""
    resolve = socket.getaddrinfo

    def local(host: str, *given: Any, **named: Any) -> Any:
        if host != "127.0.0.1":
            raise socket.gaierror(socket.EAI_NONAME, "not in tests")
        return resolve(host, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", local)


@pytest.fixture
def sdk(_here_only: None, google: FcmSimulator) -> Iterator[Callable[[messaging.Message], str]]:
    """firebase_admin with its documented way to another address; its token comes from the simulator too."""
    key = msgspec.json.decode(service_account(f"{google.url}/token", google._key))
    app = firebase_admin.initialize_app(credentials.Certificate(key), {"httpTimeout": 5}, name="judge")
    service = messaging._get_messaging_service(app)
    service._fcm_url = f"{google.url}/v1/projects/{PROJECT}/messages:send"
    service._client.session.mount("http://", HTTPAdapter(max_retries=0))
    yield lambda one: str(messaging.send(one, app=app))
    firebase_admin.delete_app(app)


def test_the_sdk_sends_what_we_send(
    account: Account, google: FcmSimulator, sdk: Callable[[messaging.Message], str]
) -> None:
    """Nothing of the SDK's letter is lost, and nothing added, on the way through our transport."""
    FcmProvider().send(account, [message(ttl=60)], deadline=5.0)
    mine = google.requests[-1]
    ours = mine.json()
    letter = messaging.Message(
        notification=messaging.Notification("Shipped", "Order 42 is on its way"),
        data=dict(ours["message"]["data"]),
        android=messaging.AndroidConfig(
            priority="high",
            ttl=timedelta(seconds=60),
            notification=messaging.AndroidNotification(tag=message().delivery),
        ),
        fcm_options=messaging.FCMOptions("transactional"),
    )
    letter.token = TOKEN
    assert sdk(letter).startswith(f"projects/{PROJECT}/messages/0:")
    assert google.requests[-1].json() == ours
    for name in ("x-goog-api-format-version", "content-type"):
        assert google.requests[-1].headers[name] == mine.headers[name]


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (TOKEN.replace("Zx_4" * 3, "unregistered", 1), messaging.UnregisteredError),
        (TOKEN.replace("Zx_4" * 2, "mismatch", 1), messaging.SenderIdMismatchError),
        ("rosa", exceptions.InvalidArgumentError),
    ],
)
def test_the_simulator_refuses_in_words_that_the_sdk_knows(
    sdk: Callable[[messaging.Message], str], token: str, error: type[Exception]
) -> None:
    letter = messaging.Message(notification=messaging.Notification("a", "b"))
    letter.token = token
    with pytest.raises(error):
        sdk(letter)


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, messaging.QuotaExceededError), (500, exceptions.InternalError), (503, exceptions.UnavailableError)],
)
def test_the_simulators_faults_are_faults_to_the_sdk(
    google: FcmSimulator, sdk: Callable[[messaging.Message], str], status: int, error: type[Exception]
) -> None:
    letter = messaging.Message(notification=messaging.Notification("a", "b"))
    letter.token = TOKEN
    google.behave(status=status)
    try:
        with pytest.raises(error):
            sdk(letter)
    finally:
        google.behave()
