"""WhatsApp through Twilio: the shared cases, and where it differs from SMS."""

from dataclasses import replace
from typing import ClassVar

import msgspec
import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from apps.channels import transport
from apps.channels.providers.twilio import TwilioProvider
from apps.channels.providers.whatsapp import WhatsappProvider
from apps.core.enums import OutcomeKind
from apps.core.types import InboundText
from tests.contract.conformance import NOW, HttpConformance
from tests.contract.receipt_conformance import ReceiptConformance
from tests.contract.twilio.cast import TwilioCase, refusal
from tests.simulators import running
from tests.simulators.twilio import NUMBER, SID, TOKEN, TwilioSimulator, inbound

TEMPLATE = "HX" + "0b" * 16
SERVICE = "MG" + "0a" * 16
# written by hand from Twilio's error dictionary, not from the provider's table
SAID = {
    OutcomeKind.REJECTED: "63003 63005 63006 63013 63016 63019 63021 63024 63025 63027 63028 63030 63032 63999",
    OutcomeKind.MISCONFIGURED: "63001 63007 63008 63020 63022",
    OutcomeKind.THROTTLED: "63017 63018 63038 20429",
    OutcomeKind.TRANSIENT: "63010 63012",
    OutcomeKind.INVALID_ADDRESS: "21211",
    OutcomeKind.OPTED_OUT: "21610",
}


class TestWhatsapp(TwilioCase, HttpConformance, ReceiptConformance):
    name = "whatsapp"
    status_kinds: ClassVar = dict.fromkeys((500, 501, 502, 504), OutcomeKind.AMBIGUOUS)
    has_age = False
    refusals: ClassVar = [(400, refusal(int(code)), kind) for kind, codes in SAID.items() for code in codes.split()]

    def test_the_cases_know_every_code_of_the_table(self) -> None:
        own = set(WhatsappProvider.kinds) - set(TwilioProvider.kinds)
        assert set(" ".join(SAID.values()).split()) - {"63999", "21211", "21610", "20429"} == own

    def test_it_writes_to_whatsapp_and_from_it(self) -> None:
        form = self.sent(self.own())
        assert (form["To"], form["From"]) == ("whatsapp:+12025550000", f"whatsapp:{NUMBER}")
        assert form["Body"] == "Your code is 4711"
        assert self.sent(self.own(), sender=f"whatsapp:{NUMBER}")["From"] == f"whatsapp:{NUMBER}"
        by_service = self.sent(self.own(), sender=SERVICE)
        assert (by_service["MessagingServiceSid"], "From" in by_service) == (SERVICE, False)

    @pytest.mark.parametrize(
        ("variables", "content", "expected"),
        [
            (None, {"body": "Your code\n is  4711"}, {"1": "Your code is 4711"}),
            ({"1": "title", "2": "body"}, {"title": "Hi", "body": "4711"}, {"1": "Hi", "2": "4711"}),
        ],
    )
    def test_it_fills_an_approved_template(
        self, variables: dict[str, str] | None, content: dict[str, str], expected: dict[str, str]
    ) -> None:
        settings = {"content_sid": TEMPLATE, "content_variables": variables}
        form = self.sent(replace(self.own(), settings=settings), content=content)
        assert form["ContentSid"] == TEMPLATE
        assert msgspec.json.decode(form["ContentVariables"]) == expected
        assert "Body" not in form

    def test_it_refuses_a_template_with_nothing_in_it(self) -> None:
        settings = {"content_sid": TEMPLATE, "content_variables": {"1": "body", "2": "title"}}
        refused = self.sent(replace(self.own(), settings=settings))
        assert refused == {"refused": "There is nothing to show for 2 of the WhatsApp template."}

    def test_a_number_that_is_not_on_whatsapp_keeps_its_text_messages(self) -> None:
        (receipt,) = self.said("undelivered", ErrorCode="63024", From=f"whatsapp:{NUMBER}")
        assert (receipt.code, receipt.kind) == ("63024", "failed")

    def test_it_reads_what_people_write(self) -> None:
        call = replace(inbound(self.url, "whatsapp:+12025550001", "Stop", sid="SM9"), received_at=NOW)
        assert self.provider.verify(self.own(), call, NOW)
        assert self.provider.parse_inbound(self.own(), call) == [InboundText("SM9", NOW, "+12025550001", "Stop")]

    @pytest.mark.parametrize("settings", [{}, {"content_sid": TEMPLATE}])
    def test_it_writes_the_letter_that_the_sdk_writes(self, settings: dict[str, str]) -> None:
        (message,) = self.messages(1)
        content = (
            {"content_sid": TEMPLATE, "content_variables": '{"1":"Your code is 4711"}'}
            if settings
            else {"body": "Your code is 4711"}
        )
        with running(TwilioSimulator()) as simulator:
            account = replace(self.account(simulator.url), settings=settings, receipts_url="", read_timeout=5.0)
            (outcome,) = self.provider.send(account, [message], deadline=5.0)

            class Here(TwilioHttpClient):  # type: ignore[misc]
                def request(self, method: str, url: str, *more: object, **named: object) -> object:
                    return super().request(method, url.replace("https://api.twilio.com", simulator.url), *more, **named)

            Client(SID, TOKEN, http_client=Here(timeout=5.0)).messages.create(
                to=f"whatsapp:{message.address}", from_=f"whatsapp:{NUMBER}", **content
            )
        ours, theirs = simulator.requests
        assert ours.form() == theirs.form()
        assert outcome.provider_message_id == simulator.taken[0].message_id
        transport.close_connections()

    def test_the_simulator_knows_senders_that_are_not_on_whatsapp(self) -> None:
        with running(TwilioSimulator()) as simulator:
            account = replace(self.account(simulator.url), sender="whatsapp:+15005550001", read_timeout=5.0)
            (taken,) = self.provider.send(account, self.messages(1), deadline=5.0)
            template = replace(account, settings={"content_sid": "no-template"})
            (refused,) = self.provider.send(template, self.messages(1), deadline=5.0)
        assert (taken.kind, refused.kind, refused.code) == (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED, "21655")
        transport.close_connections()
