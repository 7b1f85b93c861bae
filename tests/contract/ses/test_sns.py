"""How SNS's certificates are fetched and its subscriptions confirmed, with a server that stands in for it."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from apps.channels import sns_certificates
from apps.channels.base import NotSentError, UnverifiableError
from apps.channels.deadlines import Deadline
from apps.channels.transport import Fault
from apps.core.types import ProviderCall
from tests.contract.conformance import NOW
from tests.contract.scripted import answer, hang, scripted
from tests.contract.ses.cast import SesCase, signer
from tests.simulators import sns

AMAZON = "https://sns.eu-west-1.amazonaws.com"
URL = "https://notify.acme.test/v1/receipts/acme-first"
EVENT = json.dumps(
    {"eventType": "Send", "mail": {"messageId": "m", "timestamp": "2027-03-01T11:00:00Z", "destination": []}}
)


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every name that this process asks for and every address that it connects to."""
    seen: list[object] = []

    def refuse(*args: Any, **_: Any) -> Any:
        seen.append(args)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return seen


class TestCertificates(SesCase):
    """How they are fetched, from a server that stands in for SNS."""

    def signed(self) -> ProviderCall:
        return sns.call(signer(), URL, sns.note(EVENT, origin=self.origin, at=NOW))

    def test_it_keeps_them(self) -> None:
        with self.sns_server():
            assert all(self.provider.verify(self.own(), self.signed(), NOW) for _ in range(3))
            assert [(seen.method, seen.path) for seen in self.fetched] == [("GET", sns.PATH)]

    @pytest.mark.parametrize(
        "body", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    )
    def test_it_refuses_what_is_none(self, body: bytes) -> None:
        with self.sns_server(body):
            assert not self.provider.verify(self.own(), self.signed(), NOW)

    def test_it_refuses_a_huge_one(self) -> None:
        with self.sns_server(signer().certificate + b"\n" * sns_certificates.MOST_BYTES):
            assert not self.provider.verify(self.own(), self.signed(), NOW)

    @pytest.mark.parametrize("status", [404, 403, 410])
    def test_it_refuses_when_there_is_none(self, status: int) -> None:
        with self.sns_server(status=status):
            assert not self.provider.verify(self.own(), self.signed(), NOW)

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_it_follows_no_redirect(self, status: int) -> None:
        with scripted(answer(200, signer().certificate)) as trap:
            with scripted(answer(status, headers={"Location": f"{trap.url}{sns.PATH}"})) as server:
                self.origin = server.url
                assert not self.provider.verify(self.own(), self.signed(), NOW)
            assert trap.requests == []

    def test_it_asks_for_another_call_while_it_cannot_tell(self) -> None:
        with scripted(hang()) as server:
            self.origin = server.url
            with pytest.raises(UnverifiableError):
                self.provider.verify(self.own(), self.signed(), NOW)
        with self.sns_server(status=503), pytest.raises(UnverifiableError):
            self.provider.verify(self.own(), self.signed(), NOW)

    def test_nobody_makes_it_ask_on_and_on(self) -> None:
        with self.sns_server(b"none"):
            for number in range(sns_certificates.FETCHES_A_MINUTE):
                fields = sns.note(EVENT, origin=self.origin, at=NOW, SigningCertURL=f"{self.origin}/{number}.pem")
                assert not self.provider.verify(self.own(), sns.call(signer(), URL, fields), NOW)
            with pytest.raises(UnverifiableError):
                self.provider.verify(self.own(), self.signed(), NOW)
            assert len(self.fetched) == sns_certificates.FETCHES_A_MINUTE

    def test_it_keeps_only_so_many(self) -> None:
        known = sns_certificates.certificate
        with self.sns_server():
            for number in range(sns_certificates.MOST_KEPT + 3):
                sns_certificates._fetches.clear()
                assert known(self.own(), f"{self.origin}/{number}.pem") is not None
            assert len(sns_certificates._certificates) == sns_certificates.MOST_KEPT

    def test_it_believes_no_other_origin_than_the_one_it_was_told(self, dialled: list[object]) -> None:
        self.origin = "http://127.0.0.1:9"
        for origin in (AMAZON, "http://127.0.0.1:99", "https://127.0.0.1:9", "http://127.0.0.1:9@evil.example"):
            assert not self.provider.verify(
                self.own(), sns.call(signer(), URL, sns.note(EVENT, origin=origin, at=NOW)), NOW
            )
        assert dialled == []


class TestSubscriptions(SesCase):
    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        with self.sns_server():
            yield

    def asking(self, **more: str) -> ProviderCall:
        return sns.call(signer(), URL, sns.subscription(origin=self.origin, at=NOW, **more))

    def soon(self) -> Deadline:
        return Deadline(1.0, 0.5, 0.5)

    def test_it_confirms_with_a_request_of_its_own(self) -> None:
        call = self.asking(SubscribeURL=f"{self.origin}/internal/admin?delete=1", Token="a&b")
        assert self.provider.verify(self.own(), call, NOW)
        self.provider.acknowledge(self.own(), call, self.soon())
        assert self.provider.parse_receipts(self.own(), call) == []
        topic = sns.TOPIC.replace(":", "%3A")
        confirmation = f"/?Action=ConfirmSubscription&TopicArn={topic}&Token=a%26b"
        assert [(seen.method, seen.path) for seen in self.fetched] == [("GET", sns.PATH), ("GET", confirmation)]

    def test_it_asks_nobody_about_notifications(self) -> None:
        call = sns.call(signer(), URL, sns.note(EVENT, origin=self.origin, at=NOW))
        self.provider.acknowledge(self.own(), call, self.soon())
        assert self.fetched == []

    def test_the_end_of_a_subscription_says_nothing_and_asks_nobody(self) -> None:
        call = self.asking(Type="UnsubscribeConfirmation")
        assert self.provider.verify(self.own(), call, NOW)
        self.provider.acknowledge(self.own(), call, self.soon())
        assert self.provider.parse_receipts(self.own(), call) == []
        assert len(self.fetched) == 1

    def test_it_is_to_be_tried_later_when_sns_is_away(self) -> None:
        call = self.asking()
        with scripted(answer(503)) as server:
            self.origin = server.url
            with pytest.raises(NotSentError):
                self.provider.acknowledge(self.own(), self.asking(), self.soon())
        with pytest.raises(NotSentError):
            self.provider.acknowledge(self.own(), self.asking(), self.soon())
        assert call.body

    def test_a_token_that_is_over_is_not_tried_for_ever(self) -> None:
        with scripted(answer(400)) as server:
            self.origin = server.url
            self.provider.acknowledge(self.own(), self.asking(), self.soon())
        assert len(server.requests) == 1


def test_the_transport_says_so_when_an_address_is_not_public() -> None:
    """The second wall: were a name of SNS's to lead into our own network, nothing would be sent there."""
    case = TestCertificates()
    with scripted(answer(200, signer().certificate)) as trap:
        answered = sns_certificates.get(case.own(), trap.url, Deadline(1.0, 0.5, 0.5))
    assert isinstance(answered, Fault) and answered.code == "forbidden_address"
    assert (trap.connections, trap.requests) == (0, [])
