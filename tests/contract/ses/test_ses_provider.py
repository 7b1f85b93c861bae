"""The SES provider against the shared cases, its table of errors, and what exactly goes on the wire."""

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import structs

from apps.channels.providers import ses
from apps.core.enums import EventKind, OutcomeKind
from apps.core.types import ProviderCall, Receipt
from tests.contract.conformance import NOW, HttpConformance
from tests.contract.receipt_conformance import ReceiptConformance
from tests.contract.scripted import Seen, answer, scripted
from tests.contract.ses.cast import KEY, SECRET, SesCase, said, signer, stranger
from tests.simulators import sns

THROTTLED, REJECTED = OutcomeKind.THROTTLED, OutcomeKind.REJECTED
MISCONFIGURED, DOWN = OutcomeKind.MISCONFIGURED, OutcomeKind.PROVIDER_DOWN
MESSAGE_ID = "0102018b5c7e4f3a-7c191be4-e9ae-4d12-a87d-dd0099a07f8a-000000"
STATUSES = {
    "TooManyRequestsException": 429,
    "NotFoundException": 404,
    "InternalFailure": 500,
    "ServiceUnavailable": 503,
}


def mail_of(body: bytes) -> EmailMessage:
    found = message_from_bytes(b64decode(json.loads(body)["Content"]["Raw"]["Data"]), policy=policy.SMTP)
    assert isinstance(found, EmailMessage)
    return found


class TestSes(SesCase, HttpConformance, ReceiptConformance):
    refusals: ClassVar = [
        *((STATUSES.get(code, 400), said(code), kind) for code, kind in ses.SesProvider.kinds.items()),
        (400, said("MessageRejected", "Email address is not verified. These failed: acme.test"), MISCONFIGURED),
        (400, said("MessageRejected", "Daily message quota exceeded."), THROTTLED),
        (429, said("ThrottlingException", "Maximum sending rate exceeded."), THROTTLED),
        (400, said("BadRequestException", "Missing final '@domain'"), REJECTED),
        (400, said("SomethingNewException"), REJECTED),
        (418, said("SomethingNewException"), REJECTED),
        (404, b"", MISCONFIGURED),
    ]
    status_kinds: ClassVar = {500: DOWN, 501: DOWN}

    @pytest.fixture(autouse=True)
    def _sns(self, request: pytest.FixtureRequest) -> Iterator[None]:
        with self.sns_server():
            yield

    def accepted(self, seen: Seen) -> tuple[int, bytes, list[str]]:
        return 200, json.dumps({"MessageId": MESSAGE_ID}).encode(), [MESSAGE_ID]

    def call(self, now: datetime) -> tuple[ProviderCall, list[Receipt]]:
        at = now - timedelta(seconds=3)
        bounce = {
            "eventType": "Bounce",
            "bounce": {
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [
                    {
                        "emailAddress": "bea@example.com",
                        "status": "5.1.1",
                        "diagnosticCode": "smtp; 550 bea@example.com",
                    },
                    {"emailAddress": "otto@example.com"},
                ],
                "timestamp": sns.stamp(at),
            },
            "mail": {"timestamp": sns.stamp(at), "messageId": MESSAGE_ID, "tags": {"notifier_reference": ["at_1"]}},
        }
        note = sns.note(json.dumps(bounce), origin=self.origin, at=now, message_id="b1d2c3d4-0000")
        code = "Permanent/General"
        return sns.call(signer(), self.url, note), [
            Receipt("b1d2c3d4-0000/Bounce/5da2db4a243c1cb2", EventKind.BOUNCED, at, "at_1", MESSAGE_ID, code, "5.1.1"),
            Receipt("b1d2c3d4-0000/Bounce/affe4c85e294e6fb", EventKind.BOUNCED, at, "at_1", MESSAGE_ID, code, ""),
        ]

    def changed(self, body: bytes) -> bytes:
        return body.replace(b"Permanent", b"Transient")

    def test_it_refuses_the_signature_of_another_secret(self) -> None:
        """The secret is Amazon's own: only the key of the certificate that it serves counts."""
        call, _ = self.call(NOW)
        fields = msgspec.json.decode(call.body, type=dict[str, str])
        del fields["Signature"]
        assert not self.provider.verify(self.own(), sns.call(stranger(), self.url, fields), NOW)

    def test_every_row_of_its_table_is_tried(self) -> None:
        assert {json.loads(body)["__type"].rpartition("#")[2] for _, body, _ in self.refusals if body} >= set(
            ses.SesProvider.kinds
        )

    def test_it_reads_the_error_from_the_header_first(self) -> None:
        headers = {"x-amzn-ErrorType": "SendingPausedException:http://internal.amazon.com/"}
        with scripted(answer(400, b'{"message": "Sending paused"}', headers)) as server:
            assert [(o.kind, o.code, o.detail) for o in self.send(server.url)] == [
                (MISCONFIGURED, "SendingPausedException", "")
            ]

    @pytest.mark.parametrize(
        ("code", "words", "wait"),
        [
            ("TooManyRequestsException", "Maximum sending rate exceeded.", 1.0),
            ("ThrottlingException", "Rate exceeded", 1.0),
            ("LimitExceededException", "No.", 900.0),
            ("TooManyRequestsException", "Daily message quota exceeded.", 900.0),
            ("MessageRejected", "Daily message quota exceeded", 900.0),
        ],
    )
    def test_it_waits_as_long_as_it_takes(self, code: str, words: str, wait: float) -> None:
        with scripted(answer(429, said(code, words))) as server:
            assert [(o.kind, o.retry_after) for o in self.send(server.url)] == [(THROTTLED, wait)]

    def test_it_waits_as_long_as_it_is_told_to(self) -> None:
        with scripted(answer(429, said("TooManyRequestsException"), {"Retry-After": "7"})) as server:
            assert [o.retry_after for o in self.send(server.url)] == [7.0]

    @pytest.mark.parametrize(
        ("address", "kind"),
        [
            ("rosa@example.com", REJECTED),
            ("rosa@example", OutcomeKind.INVALID_ADDRESS),
            (f"{'r' * 65}@example.com", OutcomeKind.INVALID_ADDRESS),
        ],
    )
    def test_it_calls_an_address_invalid_only_when_ours_says_so_too(self, address: str, kind: OutcomeKind) -> None:
        message = structs.replace(self.messages(1)[0], address=address)
        with scripted(answer(400, said("BadRequestException", "Domain contains illegal character"))) as server:
            outcomes = self.provider.send(self.account(server.url), [message], deadline=2.0)
        assert [o.kind for o in outcomes] == [kind]
        with scripted(answer(400, said("BadRequestException", "The tag is too long."))) as server:
            outcomes = self.provider.send(self.account(server.url), [message], deadline=2.0)
        assert [o.kind for o in outcomes] == [REJECTED]

    def test_it_writes_the_request_field_by_field(self) -> None:
        (message,) = self.messages(1)
        content = {**message.content, "unsubscribe_url": "https://acme.test/u/abc"}
        message = structs.replace(
            message, content=content, address="rosa@müller.example", sender="Müller, Söhne & Co. <hello@acme.test>"
        )
        with scripted(answer(200, json.dumps({"MessageId": MESSAGE_ID}).encode())) as server:
            self.provider.send(self.account(server.url), [message], deadline=2.0)
        (seen,) = server.requests
        assert (seen.method, seen.path, seen.headers["content-type"]) == (
            "POST",
            "/v2/email/outbound-emails",
            "application/json",
        )
        assert "4711" not in seen.headers["authorization"] and SECRET not in repr(seen)
        body = json.loads(seen.body)
        assert body.pop("Content")["Raw"].keys() == {"Data"}
        assert body == {
            "ConfigurationSetName": "notifier",
            "Destination": {"ToAddresses": ["rosa@xn--mller-kva.example"]},
            "EmailTags": [{"Name": "notifier_reference", "Value": message.reference}],
        }
        found = mail_of(seen.body)
        assert found["From"] == '"Müller, Söhne & Co." <hello@acme.test>'
        assert found["To"] == "rosa@xn--mller-kva.example"
        assert found["Subject"] == "Your code"
        assert found["Message-ID"] == f"<{message.delivery}@acme.test>"
        assert found["X-Notifier-Reference"] == message.reference
        assert found["List-Unsubscribe"] == "<https://acme.test/u/abc>"
        assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert [(part.get_content_type(), part.get_content().strip()) for part in found.iter_parts()] == [  # type: ignore[union-attr]
            ("text/plain", "Your code is 4711"),
            ("text/html", "<p>Your code is 4711</p>"),
        ]

    def test_its_mail_is_of_seven_bits(self) -> None:
        """SES breaks 8bit letters where it rewrites links."""
        message = structs.replace(
            self.messages(1)[0], content={"subject": "Grüße", "text": "schöne Grüße", "html": "<p>schöne Grüße"}
        )
        raw = b64decode(json.loads(self.provider.build(self.own(), [message]).body)["Content"]["Raw"]["Data"])
        assert raw.isascii()
        assert mail_of(self.provider.build(self.own(), [message]).body)["Subject"] == "Grüße"

    def test_it_sends_the_same_message_id_in_every_attempt(self) -> None:
        (message,) = self.messages(1)
        again = structs.replace(message, reference="at_other")
        first, second = (mail_of(self.provider.build(self.own(), [one]).body) for one in (message, again))
        assert first["Message-ID"] == second["Message-ID"]
        assert (first["X-Notifier-Reference"], second["X-Notifier-Reference"]) == (message.reference, "at_other")

    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"address": "rösa@example.com"}, "letters before the @"),
            ({"address": "rosa@example.com, otto@example.com"}, "not exactly one"),
            ({"address": "rosa@example.com\r\nBcc: otto@example.com"}, "not exactly one"),
            ({"content": {"subject": "Hi\r\nBcc: otto@example.com", "text": "x"}}, "line break"),
            ({"content": {"subject": "Hi", "text": "x", "unsubscribe_url": "https://acme.test\nX: y"}}, "line break"),
            ({"sender": "Acme\nX: y <hello@acme.test>"}, "line break"),
            ({"sender": "Acme"}, "not exactly one"),
            ({"content": {"subject": "Hi", "text": "x" * (40 * 1024 * 1024)}}, "40 MB"),
        ],
    )
    def test_it_refuses_what_it_cannot_say(self, changes: dict[str, Any], word: str) -> None:
        first, second = self.messages(2)
        with scripted(answer(200, json.dumps({"MessageId": MESSAGE_ID}).encode())) as server:
            outcomes = self.provider.send(
                self.account(server.url), [structs.replace(first, **changes), second], deadline=5.0
            )
        assert [(o.kind, word in o.detail) for o in outcomes] == [(REJECTED, True), (OutcomeKind.ACCEPTED, False)]
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"credentials": {}}, "no_credentials"),
            ({"credentials": {"access_key_id": KEY}}, "no_credentials"),
            ({"settings": {}}, "no_region"),
            ({"settings": {"region": "evil.example/"}, "base_url": ""}, "bad_url"),
            ({"base_url": "http://[::1"}, "bad_url"),
        ],
    )
    def test_it_says_what_is_missing_and_asks_nobody(self, changes: dict[str, Any], code: str) -> None:
        with scripted(answer(200)) as server:
            account = replace(self.account(server.url), **changes)
            outcomes = self.provider.send(account, self.messages(1), deadline=2.0)
        assert [(o.kind, o.code) for o in outcomes] == [(MISCONFIGURED, code)]
        assert server.requests == []

    @pytest.mark.parametrize(
        ("region", "host"),
        [("eu-west-1", "email.eu-west-1.amazonaws.com"), ("cn-north-1", "email.cn-north-1.amazonaws.com.cn")],
    )
    def test_it_calls_its_region(self, region: str, host: str) -> None:
        account = replace(self.account(""), settings={"region": region})
        assert self.provider.build(account, self.messages(1)).url == f"https://{host}/v2/email/outbound-emails"
