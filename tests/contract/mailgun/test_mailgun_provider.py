"""The Mailgun provider against the shared cases: what goes on the wire, and what each refusal means."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import msgspec
import pytest
from msgspec import structs

from apps.core.enums import Category, Channel, EventKind, OutcomeKind
from apps.core.types import ProviderCall, Receipt
from tests.contract.conformance import HttpConformance
from tests.contract.receipt_conformance import ReceiptConformance
from tests.contract.scripted import Seen, answer, scripted
from tests.simulators.mailgun import API_KEY, LOGIN, SIGNING_KEY
from tests.simulators.mailgun import call as called

MESSAGE_ID = "20180812211713.1.DF5966851B4BAA99@acme.test"


def refusal(message: str) -> bytes:
    return msgspec.json.encode({"message": message})


class TestMailgun(HttpConformance, ReceiptConformance):
    name = "mailgun"
    channel = Channel.EMAIL
    credentials: ClassVar[dict[str, str]] = {"api_key": API_KEY}
    webhook_secrets = (SIGNING_KEY, LOGIN)
    refusals: ClassVar = [
        (
            400,
            refusal("'to' parameter is not a valid address. please check documentation"),
            OutcomeKind.INVALID_ADDRESS,
        ),
        (400, refusal("'from' parameter is not a valid address. please check documentation"), OutcomeKind.REJECTED),
        (400, refusal("Need at least one of 'text' or 'html' parameters specified"), OutcomeKind.REJECTED),
        (401, b"Forbidden", OutcomeKind.MISCONFIGURED),
        (402, refusal("Payment required"), OutcomeKind.MISCONFIGURED),
        (
            403,
            refusal("Domain acme.test is not allowed to send: The domain is unverified"),
            OutcomeKind.MISCONFIGURED,
        ),
        (404, refusal("Domain not found: acme.test"), OutcomeKind.MISCONFIGURED),
        (405, b"Method Not Allowed", OutcomeKind.MISCONFIGURED),
        (413, refusal("Request Entity Too Large"), OutcomeKind.REJECTED),
        (429, refusal("Too many requests"), OutcomeKind.THROTTLED),
        (500, refusal("Internal Server Error"), OutcomeKind.TRANSIENT),
        (503, refusal("Service unavailable"), OutcomeKind.PROVIDER_DOWN),
        (200, b"Mailgun Magnificent API", OutcomeKind.MISCONFIGURED),
    ]

    def accepted(self, seen: Seen) -> tuple[int, bytes, list[str]]:
        body = {"id": f"<{MESSAGE_ID}>", "message": "Queued. Thank you."}
        return 200, msgspec.json.encode(body), [MESSAGE_ID]

    def call(self, now: datetime) -> tuple[ProviderCall, list[Receipt]]:
        at = now - timedelta(seconds=3)
        event = {
            "event": "failed",
            "severity": "permanent",
            "reason": "bounce",
            "recipient": "rosa@example.com",
            "timestamp": at.timestamp(),
            "message": {"headers": {"message-id": MESSAGE_ID, "to": "rosa@example.com"}},
            "user-variables": {"notifier_reference": "at_1"},
            "delivery-status": {"code": 550, "message": "5.1.1 <rosa@example.com> does not exist.\n", "attempt-no": 1},
        }
        call = called(self.url, event, int(now.timestamp()), token="t1")
        detail = "5.1.1 <<address>> does not exist."
        return call, [Receipt("t1", EventKind.BOUNCED, at, "at_1", MESSAGE_ID, "bounce", detail)]

    def changed(self, body: bytes) -> bytes:
        """Of the body, the signature covers this."""
        return body.replace(b'"token":"t1"', b'"token":"t2"')

    def test_it_writes_one_letter_to_one_person(self) -> None:
        (message,) = self.messages(1)
        unsubscribe = {"unsubscribe_url": "https://acme.test/u/abc"}
        message = structs.replace(message, content={**message.content, **unsubscribe}, category=Category.MARKETING)
        with scripted(answer(401, b"Forbidden")) as server:
            self.provider.send(self.account(server.url), [message], deadline=2.0)
        (seen,) = server.requests
        assert (seen.method, seen.path) == ("POST", "/v3/acme.test/messages")
        assert seen.headers["authorization"] == "Basic YXBpOmtleS1hY21lLXNpbXVsYXRlZA=="
        assert sorted(parse_qsl(seen.body.decode(), keep_blank_values=True)) == sorted(
            [
                ("from", "Acme <hello@acme.test>"),
                ("to", "rosa0@example.com"),
                ("subject", "Your code"),
                ("text", "Your code is 4711"),
                ("html", "<p>Your code is 4711</p>"),
                ("h:Message-Id", f"<{message.delivery}@acme.test>"),
                ("h:X-Notifier-Reference", message.reference),
                ("h:List-Unsubscribe", "<https://acme.test/u/abc>"),
                ("h:List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
                ("v:notifier_reference", message.reference),
                ("o:tag", "marketing"),
                ("o:tracking-opens", "no"),
                ("o:tracking-clicks", "no"),
            ]
        )

    @pytest.mark.parametrize(
        ("base_url", "settings", "url"),
        [
            ("", {}, "https://api.mailgun.net/v3/acme.test/messages"),
            ("", {"region": "eu"}, "https://api.eu.mailgun.net/v3/acme.test/messages"),
            ("", {"domain": "mg.acme.test"}, "https://api.mailgun.net/v3/mg.acme.test/messages"),
            ("https://proxy.acme.test/v3", {}, "https://proxy.acme.test/v3/acme.test/messages"),
        ],
    )
    def test_it_knows_regions_and_domains(self, base_url: str, settings: dict[str, Any], url: str) -> None:
        account = replace(self.own(), base_url=base_url, settings=settings)
        assert self.provider.build(account, self.messages(1)).url == url

    def test_it_refuses_a_domain_that_is_none_before_the_call(self) -> None:
        with scripted(answer(200)) as server:
            account = replace(self.account(server.url), settings={"domain": "acme.test/other"})
            (outcome,) = self.provider.send(account, self.messages(1), deadline=2.0)
        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "untranslatable")
        assert server.requests == []

    def test_it_refuses_words_put_into_a_call_by_somebody_without_the_login(self) -> None:
        """The signature alone would pass: it does not cover the event."""
        call, _ = self.call(datetime.fromisoformat("2027-03-01T12:00:00+00:00"))
        now = datetime.fromisoformat("2027-03-01T12:00:01+00:00")
        body = call.body.replace(b"failed", b"opened")
        own = {name: value for name, value in call.headers.items() if name != "authorization"}
        assert self.provider.verify(replace(self.own(), webhook_secrets=(SIGNING_KEY,)), replace(call, body=body), now)
        assert not self.provider.verify(self.own(), replace(call, body=body, headers=own), now)

    def test_words_put_into_a_call_keep_its_events_id(self) -> None:
        """So that they have no effect once the call itself was applied."""
        call, (receipt,) = self.call(datetime.fromisoformat("2027-03-01T12:00:00+00:00"))
        body = call.body.replace(b"at_1", b"at_2").replace(b'"failed"', b'"opened"')
        (other,) = self.provider.parse_receipts(self.own(), replace(call, body=body))
        assert (other.kind, other.event_id) == (EventKind.OPENED, receipt.event_id)
