"""Who may say that SNS calls, and whom we ask about it: every attack of the catalogue, and no request to anybody but SNS."""

import json
import socket
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from apps.channels import sns_certificates
from apps.channels.base import UnreadableError
from apps.channels.deadlines import Deadline
from apps.channels.sns import read
from apps.channels.transport import HttpRequest, HttpResponse
from apps.core.types import Account, ProviderCall
from tests.contract.conformance import NOW
from tests.contract.ses.cast import SesCase, signer, stranger
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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[HttpRequest]:
    """What would be sent to Amazon; answered with the signer's certificate."""
    seen: list[HttpRequest] = []

    def exchange(account: Account, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        seen.append(request)
        return HttpResponse(200, {}, signer().certificate)

    monkeypatch.setattr(sns_certificates, "exchange", exchange)
    return seen


class TestForgedCalls(SesCase):
    """An account as it is in the real world, without `sns_url`."""

    def verdict(self, call: ProviderCall, now: datetime = NOW) -> bool:
        return self.provider.verify(self.own(), call, now)

    def signed(self, **more: str) -> ProviderCall:
        return sns.call(signer(), URL, sns.note(EVENT, origin=AMAZON, at=NOW, **more))

    def test_it_believes_amazon_and_asks_once(self, asked: list[HttpRequest]) -> None:
        assert self.verdict(self.signed())
        assert self.verdict(self.signed())
        assert self.verdict(self.signed(SignatureVersion="1"))
        assert self.verdict(self.signed(Subject=""))
        assert [(r.method, r.url, r.body, r.is_foreign) for r in asked] == [("GET", AMAZON + sns.PATH, b"", True)]

    @pytest.mark.parametrize(
        "source",
        [
            "http://sns.eu-west-1.amazonaws.com",
            "https://s3.amazonaws.com",
            "https://s3.eu-west-1.amazonaws.com/sns",
            "https://sns.s3.amazonaws.com",
            "https://sns.s3-eu-west-1.amazonaws.com",
            "https://sns.s3-website-eu-west-1.amazonaws.com",
            "https://sns.eu-west-1.amazonaws.com.evil.example",
            "https://sns.eu-west-1.amazonaws.com.cn.evil.example",
            "https://sns-eu-west-1.amazonaws.com",
            "https://evil-sns.eu-west-1.amazonaws.com",
            "https://evil.sns.eu-west-1.amazonaws.com",
            "https://sns.eu-west-1.amazonawsXcom",
            "https://sns.eu-west-1.amaz\u043enaws.com",
            "https://sns.eu-west-1.amazonaws.com:8443",
            "https://sns.eu-west-1.amazonaws.com@evil.example",
            "https://evil.example@sns.eu-west-1.amazonaws.com",
            "https://user:word@sns.eu-west-1.amazonaws.com",
            "https://evil.example#sns.eu-west-1.amazonaws.com",
            "https://evil.example?sns.eu-west-1.amazonaws.com",
            "https://evil.example\\@sns.eu-west-1.amazonaws.com",
            "https://169.254.169.254",
            "https://[::1]",
            "https://localhost",
            "file://sns.eu-west-1.amazonaws.com",
            "",
            "https://[sns.eu-west-1.amazonaws.com",
        ],
    )
    def test_it_asks_no_stranger_for_a_certificate(self, source: str, dialled: list[object]) -> None:
        assert not self.verdict(self.signed(SigningCertURL=f"{source}{sns.PATH}"))
        assert dialled == []

    @pytest.mark.parametrize(
        "path", ["", "/", "/x.txt", "/x.pem?y", "/x.pem#y", "/../x.pem", "/a/b.pem", "/x.pem/", "/%2e.pem"]
    )
    def test_it_asks_for_nothing_but_certificates(self, path: str, dialled: list[object]) -> None:
        call = self.signed(SigningCertURL=f"{AMAZON}{path}")
        assert not self.verdict(call)
        assert dialled == []

    @pytest.mark.parametrize(
        "link",
        [
            "http://169.254.169.254/latest/meta-data/",
            "https://169.254.169.254/latest/meta-data/",
            "https://sns.eu-west-1.amazonaws.com@169.254.169.254/",
            "https://evil.example/?Action=ConfirmSubscription",
            "http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
            "https://sns.s3-eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
            "",
        ],
    )
    def test_it_confirms_nothing_elsewhere(self, link: str, dialled: list[object]) -> None:
        """Refused at the door even when rightly signed; and nobody is asked were it to come further."""
        call = sns.call(signer(), URL, sns.subscription(origin=AMAZON, at=NOW, SubscribeURL=link))
        assert not self.verdict(call)
        self.provider.acknowledge(self.own(), call, Deadline(1.0, 1.0, 1.0))
        assert dialled == []

    @pytest.mark.parametrize("topics", [[], ["arn:aws:sns:eu-west-1:123456789012:other"], None, "", "arn"])
    @pytest.mark.parametrize("kind", ["Notification", "SubscriptionConfirmation"])
    def test_it_believes_only_topics_that_it_was_told(self, topics: object, kind: str, dialled: list[object]) -> None:
        make = sns.subscription if kind != "Notification" else sns.note
        fields = make(origin=AMAZON, at=NOW) if kind != "Notification" else make(EVENT, origin=AMAZON, at=NOW)  # type: ignore[operator]
        call = sns.call(signer(), URL, fields)
        account = replace(self.own(), settings={**self.settings, "topic_arns": topics})
        assert not self.provider.verify(account, call, NOW)
        self.provider.acknowledge(account, call, Deadline(1.0, 1.0, 1.0))
        assert dialled == []

    def test_it_takes_a_single_topic(self, asked: list[HttpRequest]) -> None:
        account = replace(self.own(), settings={**self.settings, "topic_arns": sns.TOPIC})
        assert self.provider.verify(account, self.signed(), NOW)

    @pytest.mark.parametrize("age", [timedelta(hours=1, seconds=1), timedelta(days=30), timedelta(minutes=-6)])
    def test_it_refuses_what_is_old_or_yet_to_come(self, age: timedelta, dialled: list[object]) -> None:
        assert not self.verdict(self.signed(), NOW + age)
        assert dialled == []

    @pytest.mark.parametrize("age", [timedelta(minutes=59), timedelta(minutes=-4)])
    def test_it_takes_late_ones(self, age: timedelta, asked: list[HttpRequest]) -> None:
        assert self.verdict(self.signed(), NOW + age)

    @pytest.mark.parametrize(
        "more",
        [
            {"SignatureVersion": "3"},
            {"SignatureVersion": ""},
            {"Type": "Other"},
            {"Timestamp": "yesterday"},
            {"Timestamp": "2027-03-01T12:00:00"},
        ],
    )
    def test_it_refuses_what_it_does_not_know(self, more: dict[str, str], dialled: list[object]) -> None:
        fields = sns.note(EVENT, origin=AMAZON, at=NOW, **more)
        call = sns.call(signer(), URL, {"SignatureVersion": "", "Type": "", **fields})
        assert not self.verdict(call)
        assert dialled == []

    @pytest.mark.parametrize("name", ["x-amz-sns-message-type", "x-amz-sns-message-id"])
    def test_it_refuses_headers_that_say_otherwise(self, name: str, dialled: list[object]) -> None:
        call = self.signed()
        assert not self.verdict(replace(call, headers={**call.headers, name: "SubscriptionConfirmation"}))
        assert dialled == []

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b"[]", b"null", b"\xff", b'"Notification"', b'{"Type": 1}', b"[" * 10_000]
    )
    def test_it_refuses_what_is_no_note(self, body: bytes, dialled: list[object]) -> None:
        assert not self.verdict(replace(self.signed(), body=body))
        with pytest.raises(UnreadableError):
            read(body)
        assert dialled == []

    @pytest.mark.parametrize("signature", ["", "FORGED", "%%%", "Zm9yZ2Vk", "é"])
    def test_it_refuses_made_up_signatures(self, signature: str, asked: list[HttpRequest]) -> None:
        fields = msgspec.json.decode(self.signed().body, type=dict[str, str]) | {"Signature": signature}
        assert not self.verdict(replace(self.signed(), body=msgspec.json.encode(fields)))

    @pytest.mark.parametrize("name", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"])
    def test_it_refuses_any_change(self, name: str, asked: list[HttpRequest]) -> None:
        call = self.signed()
        fields = msgspec.json.decode(call.body, type=dict[str, str])
        changed = {"Timestamp": "2027-03-01T12:00:00.001Z", "Type": "UnsubscribeConfirmation"}.get(
            name, fields[name] + "x"
        )
        account = replace(self.own(), settings={**self.settings, "topic_arns": [sns.TOPIC, sns.TOPIC + "x"]})
        body = msgspec.json.encode(fields | {name: changed})
        headers = {
            "x-amz-sns-message-type": (fields | {name: changed})["Type"],
            "x-amz-sns-message-id": (fields | {name: changed})["MessageId"],
        }
        assert not self.provider.verify(account, ProviderCall(call.url, headers, body), NOW)
        assert self.provider.verify(account, call, NOW)

    def test_it_refuses_the_key_of_somebody_else(self, asked: list[HttpRequest]) -> None:
        assert not self.verdict(sns.call(stranger(), URL, sns.note(EVENT, origin=AMAZON, at=NOW)))

    @pytest.mark.parametrize(
        "span", [(NOW - timedelta(days=9), NOW - timedelta(days=1)), (NOW + timedelta(days=1), NOW + timedelta(days=9))]
    )
    def test_it_refuses_a_certificate_out_of_its_time(
        self, span: tuple[datetime, datetime], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = sns.Signer(*span)
        monkeypatch.setattr(sns_certificates, "exchange", lambda *_: HttpResponse(200, {}, other.certificate))
        assert not self.verdict(sns.call(other, URL, sns.note(EVENT, origin=AMAZON, at=NOW)))
