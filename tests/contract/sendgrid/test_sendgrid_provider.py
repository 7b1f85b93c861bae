"""The SendGrid provider against the shared cases: what goes on the wire, and what each refusal means."""

from dataclasses import replace
from datetime import datetime, timedelta
from time import time
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import structs

from apps.core.enums import Category, Channel, EventKind, OutcomeKind
from apps.core.types import ProviderCall, Receipt
from tests.contract.conformance import HttpConformance
from tests.contract.receipt_conformance import ReceiptConformance
from tests.contract.scripted import Seen, answer, scripted
from tests.simulators.sendgrid import API_KEY, shown, signed, verification_key


def refusal(message: str, field: str | None = None) -> bytes:
    return msgspec.json.encode({"errors": [{"message": message, "field": field, "help": None}]})


class TestSendgrid(HttpConformance, ReceiptConformance):
    name = "sendgrid"
    channel = Channel.EMAIL
    credentials: ClassVar[dict[str, str]] = {"api_key": API_KEY}
    webhook_secrets = (shown(verification_key()),)
    status_kinds: ClassVar[dict[int, OutcomeKind]] = {500: OutcomeKind.PROVIDER_DOWN}
    refusals: ClassVar = [
        (
            400,
            refusal("Does not contain a valid address.", "personalizations.0.to.0.email"),
            OutcomeKind.INVALID_ADDRESS,
        ),
        (400, refusal("Does not contain a valid address.", "from.email"), OutcomeKind.REJECTED),
        (400, refusal("The subject is required.", "subject"), OutcomeKind.REJECTED),
        (401, refusal("authorization required"), OutcomeKind.MISCONFIGURED),
        (401, refusal("Maximum credits exceeded"), OutcomeKind.MISCONFIGURED),
        (
            403,
            refusal("The from address does not match a verified Sender Identity.", "from"),
            OutcomeKind.MISCONFIGURED,
        ),
        (404, refusal("not found"), OutcomeKind.MISCONFIGURED),
        (405, refusal("method not allowed"), OutcomeKind.MISCONFIGURED),
        (413, refusal("Request Entity Too Large"), OutcomeKind.REJECTED),
        (429, refusal("too many requests"), OutcomeKind.THROTTLED),
        (500, refusal("Internal Server Error"), OutcomeKind.PROVIDER_DOWN),
        (503, b"", OutcomeKind.PROVIDER_DOWN),
    ]

    def accepted(self, seen: Seen) -> tuple[int, bytes, list[str]]:
        return 202, b"", [""]

    def call(self, now: datetime) -> tuple[ProviderCall, list[Receipt]]:
        at = now.replace(microsecond=0) - timedelta(seconds=3)
        common = {"email": "rosa@example.com", "timestamp": int(at.timestamp()), "notifier_reference": "at_1"}
        events = [
            {
                **common,
                "event": "delivered",
                "sg_event_id": "e1",
                "sg_message_id": "m1.filter0425p1mdw1.13037.5B4A1D.0",
            },
            {
                **common,
                "event": "bounce",
                "type": "bounce",
                "status": "5.1.1",
                "reason": "550 5.1.1 <rosa@example.com>: no such user",
                "sg_event_id": "e2",
                "sg_message_id": "m1.recvd-5f7c-1-5F5FC76C-9.0",
            },
        ]
        call = signed(verification_key(), self.url, msgspec.json.encode(events) + b"\r\n", int(now.timestamp()))
        return call, [
            Receipt("e1", EventKind.DELIVERED, at, "at_1", "m1"),
            Receipt("e2", EventKind.BOUNCED, at, "at_1", "m1", "5.1.1", "550 5.1.1 <<address>>: no such user"),
        ]

    def test_it_writes_one_letter_to_one_person(self) -> None:
        (message,) = self.messages(1)
        unsubscribe = {"unsubscribe_url": "https://acme.test/u/abc"}
        message = structs.replace(message, content={**message.content, **unsubscribe}, category=Category.MARKETING)
        with scripted(answer(202, headers={"X-Message-Id": "m1"})) as server:
            (outcome,) = self.provider.send(self.account(server.url), [message], deadline=2.0)
        (seen,) = server.requests
        assert (seen.method, seen.path) == ("POST", "/v3/mail/send")
        assert seen.headers["authorization"] == f"Bearer {API_KEY}"
        assert seen.headers["content-type"] == "application/json"
        assert msgspec.json.decode(seen.body) == {
            "personalizations": [{"to": [{"email": "rosa0@example.com"}]}],
            "from": {"email": "hello@acme.test", "name": "Acme"},
            "subject": "Your code",
            "content": [
                {"type": "text/plain", "value": "Your code is 4711"},
                {"type": "text/html", "value": "<p>Your code is 4711</p>"},
            ],
            "headers": {
                "Message-ID": f"<{message.delivery}@acme.test>",
                "X-Notifier-Reference": message.reference,
                "List-Unsubscribe": "<https://acme.test/u/abc>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
            "custom_args": {"notifier_reference": message.reference},
            "categories": ["marketing"],
            "tracking_settings": {
                "click_tracking": {"enable": False},
                "open_tracking": {"enable": False},
                "subscription_tracking": {"enable": False},
            },
        }
        assert (outcome.kind, outcome.provider_message_id) == (OutcomeKind.ACCEPTED, "m1")

    def test_it_tracks_only_what_the_account_asks_for(self) -> None:
        account = replace(self.own(), settings={"track_opens": True})
        tracking = msgspec.json.decode(self.provider.build(account, self.messages(1)).body)["tracking_settings"]
        assert (tracking["open_tracking"], tracking["click_tracking"]) == ({"enable": True}, {"enable": False})

    @pytest.mark.parametrize(
        ("base_url", "settings", "url"),
        [
            ("", {}, "https://api.sendgrid.com/v3/mail/send"),
            ("", {"region": "eu"}, "https://api.eu.sendgrid.com/v3/mail/send"),
            ("https://proxy.acme.test/v3", {"region": "eu"}, "https://proxy.acme.test/v3/mail/send"),
        ],
    )
    def test_it_knows_both_regions(self, base_url: str, settings: dict[str, Any], url: str) -> None:
        account = replace(self.own(), base_url=base_url, settings=settings)
        assert self.provider.build(account, self.messages(1)).url == url

    def test_it_builds_the_same_letter_twice(self) -> None:
        messages = self.messages(1)
        assert self.provider.build(self.own(), messages) == self.provider.build(self.own(), messages)

    def test_it_reads_when_the_limit_is_lifted(self) -> None:
        headers = {"X-RateLimit-Reset": str(int(time()) + 30)}
        with scripted(answer(429, headers=headers)) as server:
            (outcome,) = self.send(server.url)
        assert outcome.kind == OutcomeKind.THROTTLED
        assert 28 < (outcome.retry_after or 0) <= 30

    def test_it_prefers_retry_after(self) -> None:
        headers = {"X-RateLimit-Reset": str(int(time()) + 30), "Retry-After": "5"}
        with scripted(answer(429, headers=headers)) as server:
            assert [o.retry_after for o in self.send(server.url)] == [5.0]

    def test_it_refuses_a_letter_of_more_than_thirty_megabytes_before_the_call(self) -> None:
        (message,) = self.messages(1)
        with scripted(answer(202)) as server:
            huge = structs.replace(message, content={**message.content, "html": "x" * 30_000_000})
            (outcome,) = self.provider.send(self.account(server.url), [huge], deadline=2.0)
        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "untranslatable")
        assert server.requests == []

    def test_it_says_why_a_letter_was_refused_and_names_nobody(self) -> None:
        body = refusal("rosa0@example.com is not allowed here", "content.0.value")
        with scripted(answer(400, body)) as server:
            (outcome,) = self.send(server.url)
        assert (outcome.code, outcome.detail) == ("content.value", "<address> is not allowed here")
