"""Vonage: the shared cases, what goes on the wire, its codes, its signed webhooks."""

from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import jwt
import msgspec
import pytest
from msgspec import structs

from apps.channels.providers.vonage import VonageProvider
from apps.core.enums import EventKind, OutcomeKind
from apps.core.types import Account, InboundText, ProviderCall, Receipt
from tests.contract.conformance import NOW, HttpConformance
from tests.contract.receipt_conformance import ReceiptConformance
from tests.contract.scripted import Seen, answer, drop, scripted
from tests.contract.vonage.cast import VonageCase
from tests.simulators.vonage import API_KEY, API_SECRET, APPLICATION, SECRET, inbound, key_pair, signed

# written by hand from Vonage's lists of errors, not from the provider's table
SAID = {
    OutcomeKind.INVALID_ADDRESS: "1040 1050 1170 1190 1280 3 4 14",
    OutcomeKind.OPTED_OUT: "1240 9",
    OutcomeKind.REJECTED: "1010 1020 1021 1022 1090 1120 1130 1150 1200 1210 1250 1260 1270 1300 1310 1340 1360 6 10 13"
    " invalid-params invalid-json 1999 never-heard-of-it",
    OutcomeKind.MISCONFIGURED: "1060 1070 1080 1110 1140 1160 account-suspended forbidden invalid-api-key invalid-signature"
    " jwt-expired jwt-revoked low-balance not-found unauthorized unprovisioned",
    OutcomeKind.THROTTLED: "1000 1241 rate-limit throttled",
    OutcomeKind.TRANSIENT: "1030 1100 1180 1220 1230 1290 2 7 8",
}
UNKNOWN = {"1999", "never-heard-of-it"}


def problem(code: str) -> bytes:
    """As the API's reference shows it (RFC 7807)."""
    return msgspec.json.encode(
        {
            "type": f"https://developer.vonage.com/api-errors/messages#{code}",
            "title": "Invalid params",
            "detail": "The value of one or more parameters is invalid.",
            "instance": "bf0ca0bf927b3b52e3cb03217e1a1ddf",
        }
    )


class TestVonage(VonageCase, HttpConformance, ReceiptConformance):
    # a second POST is a second SMS
    status_kinds: ClassVar = dict.fromkeys((500, 501, 502, 504), OutcomeKind.AMBIGUOUS)
    refusals: ClassVar = [(422, problem(code), kind) for kind, codes in SAID.items() for code in codes.split()]

    def accepted(self, seen: Seen) -> tuple[int, bytes, list[str]]:
        uuid = f"aaaaaaaa-bbbb-cccc-dddd-{msgspec.json.decode(seen.body)['to'][-4:].rjust(12, '0')}"
        return 202, msgspec.json.encode({"message_uuid": uuid}), [uuid]

    def test_the_cases_know_every_code_of_the_table(self) -> None:
        assert set(" ".join(SAID.values()).split()) - UNKNOWN == set(VonageProvider.kinds)

    def test_it_reads_a_number_from_the_title_when_the_type_has_none(self) -> None:
        with scripted(answer(422, b'{"type": "https://developer.vonage.com/en/api-errors", "title": 1240}')) as server:
            (outcome,) = self.send(server.url)
        assert (outcome.kind, outcome.code) == (OutcomeKind.OPTED_OUT, "1240")

    # what goes on the wire

    def sent(self, account: Account, **changes: Any) -> dict[str, Any]:
        (message,) = self.messages(1)
        with scripted(answer(202, b'{"message_uuid": "u"}')) as server:
            own = replace(account, base_url=server.url)
            (outcome,) = self.provider.send(own, [structs.replace(message, **changes)], deadline=2.0)
        if not server.requests:
            return {"refused": outcome.detail}
        (self.seen,), self.message = server.requests, message
        return dict(msgspec.json.decode(self.seen.body))

    def test_it_posts_the_sdks_model(self) -> None:
        assert self.sent(self.own()) == {
            "channel": "sms",
            "message_type": "text",
            "to": "12025550000",
            "from": "15005550006",
            "text": "Your code is 4711",
            "client_ref": self.message.reference,
            "webhook_url": self.url,
            "webhook_version": "v1",
        }
        assert (self.seen.method, self.seen.path) == ("POST", "/v1/messages")
        assert self.seen.headers["content-type"] == "application/json"
        scheme, _, pair = self.seen.headers["authorization"].partition(" ")
        assert (scheme, b64decode(pair).decode()) == ("Basic", f"{API_KEY}:{API_SECRET}")

    @pytest.mark.parametrize(
        ("settings", "changes", "expected"),
        [
            ({}, {"ttl": 90}, {"ttl": 90}),
            ({}, {"ttl": 5}, {"ttl": 20}),
            ({}, {"ttl": 900_000}, {"ttl": 604_800}),
            ({"encoding_type": "auto"}, {}, {"sms": {"encoding_type": "auto"}}),
            ({"entity_id": "e", "content_id": "c"}, {}, {"sms": {"entity_id": "e", "content_id": "c"}}),
            ({}, {"sender": "Acme"}, {"from": "Acme"}),
            ({}, {"content": {"body": "Grüße 🎉"}}, {"text": "Grüße 🎉"}),
        ],
    )
    def test_it_says_what_account_and_message_ask_for(
        self, settings: dict[str, object], changes: dict[str, object], expected: dict[str, object]
    ) -> None:
        found = self.sent(replace(self.own(), settings=settings), **changes)
        assert {name: found[name] for name in expected} == expected
        assert ("sms" in found, "ttl" in found) == ("sms" in expected, "ttl" in expected)

    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({"content": {"body": ""}}, "There is no text."),
            ({"content": {"body": "rosa " * 700}}, "text: "),
            ({"address": "rosa-4711"}, "to: "),
        ],
    )
    def test_it_refuses_what_vonage_would_refuse_and_repeats_nothing_of_it(
        self, changes: dict[str, Any], part: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        refused = self.sent(self.own(), **changes)["refused"]
        assert refused.startswith(part)
        assert "rosa" not in refused + caplog.text

    def test_it_signs_with_the_applications_key(self) -> None:
        own = replace(self.own(), credentials={"application_id": APPLICATION, "private_key": key_pair()[0]})
        self.sent(own)
        token = self.seen.headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, key_pair()[1], algorithms=["RS256"])
        assert claims["application_id"] == APPLICATION
        assert claims["exp"] - claims["iat"] == 900
        assert {"jti", "iat", "exp", "application_id"} == claims.keys()

    @pytest.mark.parametrize(
        ("credentials", "code"),
        [
            ({}, "no_credentials"),
            ({"api_key": API_KEY}, "no_credentials"),
            ({"application_id": APPLICATION}, "no_credentials"),
            ({"application_id": APPLICATION, "private_key": "/etc/hostname.pem"}, "private_key"),
        ],
    )
    def test_it_sends_nothing_without_credentials(self, credentials: dict[str, str], code: str) -> None:
        with scripted(drop) as server:
            own = replace(self.account(server.url), credentials=credentials)
            (outcome,) = self.provider.send(own, self.messages(1), deadline=1.0)
        assert (outcome.kind, outcome.code) == (OutcomeKind.MISCONFIGURED, code)
        assert server.requests == []

    # what comes back

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            ("submitted", EventKind.SENT),
            ("delivered", EventKind.DELIVERED),
            ("read", EventKind.OPENED),
            ("undeliverable", EventKind.FAILED),
            ("rejected", EventKind.FAILED),
        ],
    )
    def test_it_maps_every_status(self, status: str, kind: EventKind) -> None:
        (receipt,) = self.said({"status": status})
        assert (receipt.kind, receipt.event_id) == (kind, f"uuid-1-{status}")
        assert (receipt.reference, receipt.provider_message_id) == ("at_1", "uuid-1")

    def said(self, more: dict[str, Any], received_at: datetime | None = None) -> list[Receipt]:
        event = {"message_uuid": "uuid-1", "client_ref": "at_1", "timestamp": "2027-03-01T11:59:57.000Z", **more}
        return self.provider.parse_receipts(
            self.own(), ProviderCall(self.url, {}, msgspec.json.encode(event), received_at)
        )

    @pytest.mark.parametrize("status", ["accepted", "new-word", ""])
    def test_it_leaves_out_what_says_nothing(self, status: str) -> None:
        assert self.said({"status": status}) == []

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("1180", [(EventKind.FAILED, "1180")]),
            ("1190", [(EventKind.FAILED, "invalid_address")]),
            ("1210", [(EventKind.FAILED, "1210")]),
            ("1240", [(EventKind.FAILED, "1240"), (EventKind.OPTED_OUT, "1240")]),
            ("9", [(EventKind.FAILED, "9"), (EventKind.OPTED_OUT, "9")]),
            ("3", [(EventKind.FAILED, "invalid_address")]),
            ("99", [(EventKind.FAILED, "99")]),
        ],
    )
    def test_it_blames_the_address_only_for_what_proves_it(
        self, code: str, expected: list[tuple[EventKind, str]]
    ) -> None:
        for error in ({"type": f"https://x#{code}", "title": "No"}, {"title": int(code)}, {"title": code}):
            receipts = self.said({"status": "rejected", "error": error})
            assert [(receipt.kind, receipt.code) for receipt in receipts] == expected

    def test_it_knows_when_an_event_came_that_says_no_time(self) -> None:
        (receipt,) = self.said({"status": "delivered", "timestamp": "just now"}, received_at=NOW)
        assert receipt.at == NOW
        (receipt,) = self.said({"status": "delivered", "timestamp": "2027-03-01 11:59:57"})
        assert receipt.at == datetime(2027, 3, 1, 11, 59, 57, tzinfo=UTC)

    def test_it_reads_what_people_write(self) -> None:
        call = inbound(self.url, "12025550001", "Stop!", uuid="uuid-9", at=NOW.timestamp())
        assert self.provider.verify(self.own(), call, NOW)
        assert self.provider.parse_receipts(self.own(), call) == []
        assert self.provider.parse_inbound(self.own(), call) == [InboundText("uuid-9", NOW, "+12025550001", "Stop!")]
        named = inbound(self.url, "Acme", "Stop!", uuid="uuid-9", at=NOW.timestamp())
        assert self.provider.parse_inbound(self.own(), named) == []
        receipt, _ = self.call(NOW)
        assert self.provider.parse_inbound(self.own(), receipt) == []

    # whom it believes

    def test_it_covers_the_body_and_the_time(self) -> None:
        call, _ = self.call(NOW)
        for age, is_taken in (
            (timedelta(hours=23), True),
            (timedelta(minutes=-4), True),
            (timedelta(minutes=-6), False),
        ):
            assert self.provider.verify(self.own(), call, NOW + age) is is_taken
        other = signed(self.url, {"message_uuid": "uuid-1", "status": "rejected"}, NOW.timestamp())
        assert not self.provider.verify(self.own(), replace(call, body=other.body), NOW)

    @pytest.mark.parametrize(
        "claims",
        [
            {"iat": int(NOW.timestamp())},
            {"payload_hash": "0" * 64},
            {"payload_hash": "{hash}"},
            {"payload_hash": "{hash}", "iat": "soon"},
            {"payload_hash": "{hash}", "iat": 1e300},
            {"payload_hash": None, "iat": int(NOW.timestamp())},
        ],
    )
    def test_it_refuses_tokens_that_prove_too_little(self, claims: dict[str, Any]) -> None:
        call, _ = self.call(NOW)
        token = call.headers["authorization"].removeprefix("Bearer ")
        own = jwt.decode(token, options={"verify_signature": False})
        said = {n: own["payload_hash"] if v == "{hash}" else v for n, v in claims.items()}
        forged = jwt.encode(said, SECRET, algorithm="HS256")
        assert not self.provider.verify(self.own(), self.with_token(call, forged), NOW)

    def test_it_takes_no_other_algorithm(self) -> None:
        call, _ = self.call(NOW)
        claims = jwt.decode(call.headers["authorization"][7:], options={"verify_signature": False})
        unsigned = jwt.encode(claims, None, algorithm="none")
        long = jwt.encode(claims, SECRET * 2, algorithm="HS512")
        assert not self.provider.verify(self.own(), self.with_token(call, unsigned), NOW)
        own = replace(self.own(), webhook_secrets=(SECRET * 2,))
        assert not self.provider.verify(own, self.with_token(call, long), NOW)
        assert self.provider.verify(own, self.with_token(call, jwt.encode(claims, SECRET * 2, algorithm="HS256")), NOW)

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi", "Bearer " + "é" * 9])
    def test_it_refuses_what_is_no_token(self, header: str) -> None:
        call, _ = self.call(NOW)
        assert not self.provider.verify(self.own(), replace(call, headers={"authorization": header}), NOW)

    def with_token(self, call: ProviderCall, token: str) -> ProviderCall:
        return replace(call, headers={"authorization": f"Bearer {token}"})
