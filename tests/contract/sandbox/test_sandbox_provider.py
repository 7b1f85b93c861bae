"""The sandbox adapter against the shared cases, and its split of magic addresses."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec
from msgspec import structs

from apps.channels.sandbox.wire import SandboxAnswer, SandboxBatch, SandboxEvent, SandboxEvents, SandboxResult, encode
from apps.channels.standard_webhooks import sign
from apps.core.enums import Channel, EventKind, OutcomeKind
from apps.core.types import ProviderCall, Receipt
from tests.contract.conformance import NOW, HttpConformance
from tests.contract.receipt_conformance import ReceiptConformance
from tests.contract.scripted import Seen, answer, scripted


class TestSandbox(HttpConformance, ReceiptConformance):
    name = "sandbox"
    channel = Channel.EMAIL
    credentials: ClassVar[dict[str, str]] = {"secret": "open-sesame"}
    refusals: ClassVar = [
        (429, b'{"error":"throttled"}', OutcomeKind.THROTTLED),
        (503, b'{"error":"down"}', OutcomeKind.PROVIDER_DOWN),
        (404, b'{"error":"not_found"}', OutcomeKind.MISCONFIGURED),
        (400, b'{"error":"too many"}', OutcomeKind.REJECTED),
    ]

    def accepted(self, seen: Seen) -> tuple[int, bytes, list[str]]:
        batch = msgspec.json.decode(seen.body, type=SandboxBatch)
        given = [f"sbx{place}" for place in range(len(batch.messages))]
        results = [SandboxResult(m.reference, own) for m, own in zip(batch.messages, given, strict=True)]
        return 200, encode(SandboxAnswer(results)), given

    def call(self, now: datetime) -> tuple[ProviderCall, list[Receipt]]:
        at = now - timedelta(seconds=3)
        body = encode(
            SandboxEvents(
                [
                    SandboxEvent("sbx1-1", "delivered", at.timestamp(), "at_1", "sbx1"),
                    SandboxEvent("sbx2-1", "bounced", at.timestamp(), "at_2", "sbx2", "unknown"),
                ]
            )
        )
        headers = sign("open-sesame", message_id="msg_1", timestamp=int(now.timestamp()), body=body)
        return (
            ProviderCall(self.url, headers, body),
            [
                Receipt("sbx1-1", EventKind.DELIVERED, at, "at_1", "sbx1"),
                Receipt("sbx2-1", EventKind.BOUNCED, at, "at_2", "sbx2", "unknown"),
            ],
        )

    def test_it_shows_its_secret_and_its_account(self) -> None:
        with scripted(answer(401)) as server:
            self.send(server.url)
        (seen,) = server.requests
        assert (seen.method, seen.path) == ("POST", "/email/messages")
        assert seen.headers["authorization"] == "Bearer open-sesame"
        assert msgspec.json.decode(seen.body)["account"] == "acme-first"

    def test_it_tells_messages_apart(self) -> None:
        def script(seen: Seen, peer: object) -> bool:
            first, second, third = (m.reference for m in msgspec.json.decode(seen.body, type=SandboxBatch).messages)
            results = [
                SandboxResult(first, error="throttled", retry_after=2.0),
                SandboxResult(second, "sbx2"),
                SandboxResult(third, error="never heard of it"),
            ]
            return answer(200, encode(SandboxAnswer(results)))(seen, peer)  # type: ignore[arg-type]

        with scripted(script) as server:
            outcomes = self.send(server.url, 3)
        assert [(o.kind, o.code, o.retry_after, o.provider_message_id) for o in outcomes] == [
            (OutcomeKind.THROTTLED, "throttled", 2.0, ""),
            (OutcomeKind.ACCEPTED, "", None, "sbx2"),
            (OutcomeKind.REJECTED, "never heard of it", None, ""),
        ]

    def test_it_doubts_an_answer_for_other_messages(self) -> None:
        body = encode(SandboxAnswer([SandboxResult("at_other", "sbx1")]))
        with scripted(answer(200, body)) as server:
            assert [o.code for o in self.send(server.url)] == ["answer_unreadable"]

    def test_it_gives_addresses_that_break_calls_a_call_of_their_own(self) -> None:
        words = ["bounce", "slow", "invalid", "timeout", "slow+2", "flaky", "down"]
        messages = [
            structs.replace(message, address=f"{word}@simulator.test")
            for message, word in zip(self.messages(len(words)), words, strict=True)
        ]
        calls = self.provider.split(replace(self.own(), batch_size=2), messages)
        assert [[message.address.partition("@")[0] for message in call] for call in calls] == [
            ["bounce", "invalid"],
            ["flaky"],
            ["down"],
            ["slow", "slow+2"],
            ["timeout"],
        ]

    def test_it_refuses_a_call_signed_five_minutes_ago(self) -> None:
        call, _ = self.call(NOW)
        assert self.provider.verify(self.own(), call, NOW + timedelta(seconds=300))
        assert not self.provider.verify(self.own(), call, NOW + timedelta(seconds=301))
