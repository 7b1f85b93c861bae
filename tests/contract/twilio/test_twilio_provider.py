"""Twilio: the shared cases, what goes on the wire, and its codes."""

from dataclasses import replace
from typing import ClassVar

import msgspec
import pytest

from apps.channels.providers.twilio import TwilioProvider
from apps.core.enums import OutcomeKind
from tests.contract.conformance import HttpConformance
from tests.contract.receipt_conformance import ReceiptConformance
from tests.contract.scripted import answer, drop, scripted
from tests.contract.twilio.cast import TwilioCase, refusal
from tests.simulators.twilio import NUMBER, SID, TOKEN

SERVICE = "MG" + "0a" * 16
# written by hand from Twilio's error dictionary, not from the provider's table
SAID = {
    OutcomeKind.INVALID_ADDRESS: "21211 21217 21265 21268 21614 21635 30005 30006",
    OutcomeKind.OPTED_OUT: "21610 30004",
    OutcomeKind.REJECTED: "21266 21602 21604 21617 21619 21620 21623 21655 21656 30007 30010 29999",
    OutcomeKind.MISCONFIGURED: "10001 20003 20005 20006 20008 20404 21212 21267 21408 21603 21606 21607 21608 21609 21612 21659 21660"
    " 21661 21701 30002 30032 30034",
    OutcomeKind.THROTTLED: "14107 20429 21611 30001 30022 30023",
    OutcomeKind.TRANSIENT: "30003 30008 30009 30410 30500",
    OutcomeKind.PROVIDER_DOWN: "20503",
    OutcomeKind.AMBIGUOUS: "20500 20502 20504",
}


class TestTwilio(TwilioCase, HttpConformance, ReceiptConformance):
    # a second POST is a second SMS
    status_kinds: ClassVar = dict.fromkeys((500, 501, 502, 504), OutcomeKind.AMBIGUOUS)
    # a signature covers no time: receipts count once per message and status, texts once per message (ledger)
    has_age = False
    refusals: ClassVar = [(400, refusal(int(code)), kind) for kind, codes in SAID.items() for code in codes.split()]

    def test_the_cases_know_every_code_of_the_table(self) -> None:
        assert set(" ".join(SAID.values()).split()) - {"29999"} == set(TwilioProvider.kinds)

    def test_it_posts_a_form_with_the_sdks_headers(self) -> None:
        form = self.sent(self.own())
        callback = f"{self.url}?reference={self.message.reference}#rc=5&rp=5xx,ct,rt"
        assert form == {"To": "+12025550000", "From": NUMBER, "Body": "Your code is 4711", "StatusCallback": callback}
        assert (self.seen.method, self.seen.path) == ("POST", f"/2010-04-01/Accounts/{SID}/Messages.json")
        assert self.seen.headers["content-type"] == "application/x-www-form-urlencoded"
        assert self.seen.headers["authorization"].startswith("Basic ")
        assert self.seen.headers["user-agent"].startswith("twilio-python/9.")

    @pytest.mark.parametrize(
        ("settings", "changes", "expected"),
        [
            ({}, {"ttl": 90}, {"ValidityPeriod": "90"}),
            ({}, {"ttl": 90_000}, {"ValidityPeriod": "36000"}),
            ({"validity_period": 300}, {}, {"ValidityPeriod": "300"}),
            ({"validity_period": 300}, {"ttl": 20}, {"ValidityPeriod": "20"}),
            ({"validity_period": "soon"}, {}, {}),
            ({"smart_encoded": True}, {}, {"SmartEncoded": "true"}),
            ({"smart_encoded": False}, {}, {"SmartEncoded": "false"}),
            ({}, {"sender": SERVICE}, {"MessagingServiceSid": SERVICE, "From": ""}),
            ({}, {"sender": "Acme"}, {"From": "Acme"}),
            ({}, {"content": {"body": "Grüße 🎉 & more=1"}}, {"Body": "Grüße 🎉 & more=1"}),
            ({}, {"content": {"body": "x" * 1600}}, {"Body": "x" * 1600}),
        ],
    )
    def test_it_says_what_account_and_message_ask_for(
        self, settings: dict[str, object], changes: dict[str, object], expected: dict[str, str]
    ) -> None:
        plain = self.sent(self.own())
        form = self.sent(replace(self.own(), settings=settings), **changes)
        plain["StatusCallback"] = form["StatusCallback"]
        assert form == {name: value for name, value in (plain | expected).items() if value}

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ({"body": "x" * 1601}, "The text has 1601 characters; Twilio takes 1600."),
            ({"body": ""}, "There is no text."),
            ({}, "There is no text."),
        ],
    )
    def test_it_refuses_what_twilio_would_refuse(self, content: dict[str, str], sentence: str) -> None:
        assert self.sent(self.own(), content=content) == {"refused": sentence}

    def test_it_asks_for_no_receipts_without_a_door(self) -> None:
        assert "StatusCallback" not in self.sent(replace(self.own(), receipts_url=""))

    def test_it_sends_with_an_api_key(self) -> None:
        key = {"api_key": "SK1", "api_secret": "s", **self.credentials}
        self.sent(replace(self.own(), credentials=key))
        assert self.seen.headers["authorization"] == "Basic U0sxOnM="
        assert self.seen.path == f"/2010-04-01/Accounts/{SID}/Messages.json"

    @pytest.mark.parametrize("credentials", [{}, {"account_sid": SID}, {"auth_token": TOKEN}])
    def test_it_sends_nothing_without_credentials(
        self, credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TWILIO_ACCOUNT_SID", SID)
        monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
        with scripted(drop) as server:
            own = replace(self.account(server.url), credentials=credentials)
            (outcome,) = self.provider.send(own, self.messages(1), deadline=1.0)
        assert (outcome.kind, outcome.code) == (OutcomeKind.MISCONFIGURED, "no_credentials")
        assert server.requests == []

    @pytest.mark.parametrize(
        ("settings", "host"),
        [
            ({}, "api.twilio.com"),
            ({"region": "ie1"}, "api.ie1.twilio.com"),
            ({"region": "ie1", "edge": "dublin"}, "api.dublin.ie1.twilio.com"),
        ],
    )
    def test_it_goes_to_the_region_of_the_account(self, settings: dict[str, str], host: str) -> None:
        account = replace(self.account(""), settings=settings)
        request = self.provider.build(account, self.messages(1))
        assert request.url == f"https://{host}/2010-04-01/Accounts/{SID}/Messages.json"

    def test_it_takes_nothing_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = self.provider.build(self.account(""), self.messages(1))
        for name in ("TWILIO_REGION", "TWILIO_EDGE", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"):
            monkeypatch.setenv(name, "elsewhere")
        request = self.provider.build(self.account(""), self.messages(1))
        assert (request.url, request.headers) == (plain.url, plain.headers)

    def test_it_reads_a_message_that_failed_at_once(self) -> None:
        body = msgspec.json.encode({"sid": "SM1", "status": "failed", "error_code": 21610})
        with scripted(answer(201, body)) as server:
            (outcome,) = self.send(server.url)
        assert (outcome.kind, outcome.code, outcome.provider_message_id) == (OutcomeKind.OPTED_OUT, "21610", "SM1")

    @pytest.mark.parametrize("code", [21606, 21659])
    def test_it_keeps_a_short_code_on_that_does_not_reach_one_country(self, code: int) -> None:
        with scripted(answer(400, refusal(code))) as server:
            own = replace(self.account(server.url), sender="89045")
            (outcome,) = self.provider.send(own, self.messages(1), deadline=1.0)
        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, str(code))
