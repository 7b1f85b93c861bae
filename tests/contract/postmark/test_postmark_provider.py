"""The Postmark provider against the shared cases: what goes on the wire, and what each refusal means."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import structs

from apps.channels.providers.postmark import KINDS
from apps.core.enums import Category, Channel, EventKind, OutcomeKind
from apps.core.types import OutboundMessage, ProviderCall, Receipt
from tests.contract.conformance import HttpConformance
from tests.contract.receipt_conformance import ReceiptConformance
from tests.contract.scripted import Seen, answer, scripted
from tests.simulators.postmark import INACTIVE, LOGIN, TOKEN
from tests.simulators.postmark import call as called

OK = {"To": "rosa@example.com", "SubmittedAt": "2027-03-01T12:00:00Z", "ErrorCode": 0, "Message": "OK"}


def refusal(code: int, message: str = "Refused.") -> bytes:
    return msgspec.json.encode({"ErrorCode": code, "Message": message})


def item(code: int, message: str = "Refused.") -> bytes:
    return b"[" + refusal(code, message) + b"]"


class TestPostmark(HttpConformance, ReceiptConformance):
    name = "postmark"
    channel = Channel.EMAIL
    credentials: ClassVar[dict[str, str]] = {"server_token": TOKEN}
    webhook_secrets = (LOGIN,)
    has_age = False
    refusals: ClassVar = [
        (401, refusal(10), OutcomeKind.MISCONFIGURED),
        (422, refusal(11), OutcomeKind.MISCONFIGURED),
        (503, refusal(100, "The Postmark API is offline for maintenance."), OutcomeKind.PROVIDER_DOWN),
        (200, item(300, "Invalid 'To' address: 'rosa@nowhere'."), OutcomeKind.INVALID_ADDRESS),
        (
            200,
            item(300, "Error parsing 'To': Illegal email domain 'x' in address 'rosa@x'."),
            OutcomeKind.INVALID_ADDRESS,
        ),
        (200, item(300, "Invalid 'From' address: 'hello'."), OutcomeKind.REJECTED),
        (200, item(300, "Invalid metadata content."), OutcomeKind.REJECTED),
        (200, item(400), OutcomeKind.MISCONFIGURED),
        (200, item(401), OutcomeKind.MISCONFIGURED),
        (422, refusal(402), OutcomeKind.REJECTED),
        (422, refusal(403), OutcomeKind.REJECTED),
        (200, item(405), OutcomeKind.MISCONFIGURED),
        (422, refusal(405), OutcomeKind.MISCONFIGURED),
        (200, item(406, INACTIVE.format("rosa@example.com")), OutcomeKind.OPTED_OUT),
        (422, refusal(409), OutcomeKind.REJECTED),
        (422, refusal(410), OutcomeKind.REJECTED),
        (200, item(411), OutcomeKind.REJECTED),
        (200, item(412), OutcomeKind.MISCONFIGURED),
        (422, refusal(413), OutcomeKind.MISCONFIGURED),
        (429, refusal(429), OutcomeKind.THROTTLED),
        (200, item(429), OutcomeKind.THROTTLED),
        (200, item(1235), OutcomeKind.MISCONFIGURED),
        (200, item(1236), OutcomeKind.MISCONFIGURED),
        (200, item(98765), OutcomeKind.REJECTED),
        (413, refusal(0), OutcomeKind.REJECTED),
        (500, b"", OutcomeKind.TRANSIENT),
    ]

    def accepted(self, seen: Seen) -> tuple[int, bytes, list[str]]:
        given = [f"0a129aee-e1cd-480d-b08d-{place:012}" for place, _ in enumerate(msgspec.json.decode(seen.body))]
        return 200, msgspec.json.encode([{**OK, "MessageID": one} for one in given]), given

    def call(self, now: datetime) -> tuple[ProviderCall, list[Receipt]]:
        event = {
            "RecordType": "Bounce",
            "ID": 901542550,
            "Type": "HardBounce",
            "TypeCode": 1,
            "MessageID": "2706ee8a-737c-4285-b032-ccd317af53ed",
            "Metadata": {"notifier_reference": "at_1"},
            "Details": "smtp;550 5.1.1 The account rosa@example.com does not exist.",
            "Email": "rosa@example.com",
            "BouncedAt": (now - timedelta(seconds=3)).isoformat(),
            "Inactive": True,
        }
        return called(self.url, event), [
            Receipt(
                "Bounce:901542550",
                EventKind.BOUNCED,
                now - timedelta(seconds=3),
                "at_1",
                "2706ee8a-737c-4285-b032-ccd317af53ed",
                "HardBounce",
                "smtp;550 5.1.1 The account <address> does not exist.",
            )
        ]

    def test_it_refuses_a_changed_body(self) -> None:
        """It cannot: basic authentication covers no body. Whoever has the password may say anything, and nobody else."""
        call, _ = self.call(datetime.fromisoformat("2027-03-01T12:00:00+00:00"))
        now = datetime.fromisoformat("2027-03-01T12:00:01+00:00")
        assert self.provider.verify(self.own(), replace(call, body=b"{}"), now)
        assert not self.provider.verify(self.own(), replace(call, headers={"authorization": "Basic x"}), now)

    def test_every_row_of_the_table_has_a_case(self) -> None:
        said = {found.get("ErrorCode") for _, body, _ in self.refusals if body for found in self.parts(body)}
        assert {int(code.removeprefix("error_")) for code in KINDS if code.startswith("error_")} <= said

    def parts(self, body: bytes) -> list[dict[str, Any]]:
        found = msgspec.json.decode(body)
        return found if isinstance(found, list) else [found]

    def test_it_writes_a_letter_for_each_person(self) -> None:
        first, second = self.messages(2)
        unsubscribe = {"unsubscribe_url": "https://acme.test/u/abc"}
        second = structs.replace(second, content={**second.content, **unsubscribe}, category=Category.MARKETING)
        sent = self.sent([first, second], streams={"marketing": "broadcast"})
        ours = {
            "From": "Acme <hello@acme.test>",
            "Subject": "Your code",
            "TextBody": "Your code is 4711",
            "HtmlBody": "<p>Your code is 4711</p>",
            "TrackOpens": False,
            "TrackLinks": "None",
        }
        assert sent == [
            {
                **ours,
                "To": "rosa0@example.com",
                "Tag": "critical",
                "Metadata": {"notifier_reference": first.reference},
                "Headers": [
                    {"Name": "Message-ID", "Value": f"<{first.delivery}@acme.test>"},
                    {"Name": "X-Notifier-Reference", "Value": first.reference},
                    {"Name": "X-PM-KeepID", "Value": "true"},
                ],
            },
            {
                **ours,
                "To": "rosa1@example.com",
                "Tag": "marketing",
                "MessageStream": "broadcast",
                "Metadata": {"notifier_reference": second.reference},
                "Headers": [
                    {"Name": "Message-ID", "Value": f"<{second.delivery}@acme.test>"},
                    {"Name": "X-Notifier-Reference", "Value": second.reference},
                    {"Name": "List-Unsubscribe", "Value": "<https://acme.test/u/abc>"},
                    {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
                    {"Name": "X-PM-KeepID", "Value": "true"},
                ],
            },
        ]

    def sent(self, messages: list[OutboundMessage], **settings: object) -> list[dict[str, Any]]:
        with scripted(answer(401)) as server:
            self.provider.send(replace(self.account(server.url), settings=settings), messages, deadline=2.0)
        (seen,) = server.requests
        assert (seen.method, seen.path) == ("POST", "/email/batch")
        assert seen.headers["x-postmark-server-token"] == TOKEN
        assert seen.headers["content-type"] == "application/json"
        return self.parts(seen.body)

    def test_it_takes_the_default_stream_for_what_has_none_of_its_own(self) -> None:
        sent = self.sent(self.messages(1), streams={"marketing": "broadcast", "default": "outbound"}, track_clicks=True)
        assert (sent[0]["MessageStream"], sent[0]["TrackLinks"]) == ("outbound", "HtmlAndText")

    def test_it_loses_no_neighbour_to_a_refused_address(self) -> None:
        results = [
            {**OK, "MessageID": "m1"},
            {"ErrorCode": 406, "Message": INACTIVE.format("rosa1@example.com")},
            {"ErrorCode": 300, "Message": "Invalid 'To' address: 'rosa2@example.com'."},
            {"Message": "Message accepted, but delivery may be delayed.", "MessageID": "m4"},
        ]
        with scripted(answer(200, msgspec.json.encode(results))) as server:
            outcomes = self.send(server.url, 4)
        assert [(o.kind, o.code, o.provider_message_id) for o in outcomes] == [
            (OutcomeKind.ACCEPTED, "", "m1"),
            (OutcomeKind.OPTED_OUT, "error_406", ""),
            (OutcomeKind.INVALID_ADDRESS, "invalid_to", ""),
            (OutcomeKind.ACCEPTED, "", "m4"),
        ]
        assert not any("rosa" in o.detail for o in outcomes)
        assert len(server.requests) == 1

    def test_it_doubts_an_answer_with_too_few_results(self) -> None:
        with scripted(answer(200, msgspec.json.encode([{**OK, "MessageID": "m1"}]))) as server:
            assert [o.code for o in self.send(server.url, 2)] == ["answer_unreadable"] * 2

    def test_it_refuses_a_letter_of_more_than_ten_megabytes_and_sends_its_neighbour(self) -> None:
        first, second = self.messages(2)
        huge = structs.replace(second, content={**second.content, "html": "x" * 10_000_000})
        with scripted(answer(200, msgspec.json.encode([{**OK, "MessageID": "m1"}]))) as server:
            outcomes = self.provider.send(self.account(server.url), [first, huge], deadline=2.0)
        assert [(o.kind, o.code) for o in outcomes] == [
            (OutcomeKind.ACCEPTED, ""),
            (OutcomeKind.REJECTED, "untranslatable"),
        ]
        assert [len(self.parts(seen.body)) for seen in server.requests] == [1]

    def test_it_makes_small_calls_of_large_letters(self) -> None:
        messages = [structs.replace(m, content={**m.content, "html": "x" * 3_000_000}) for m in self.messages(20)]
        calls = self.provider.split(self.own(), messages)
        assert [message for call in calls for message in call] == messages
        assert [len(call) for call in calls] == [8, 8, 4]

    @pytest.mark.parametrize(
        ("base_url", "url"), [("", "https://api.postmarkapp.com"), ("https://x.test", "https://x.test")]
    )
    def test_it_knows_where_postmark_is(self, base_url: str, url: str) -> None:
        account = replace(self.own(), base_url=base_url)
        assert self.provider.build(account, self.messages(1)).url == f"{url}/email/batch"
