"""What Twilio signs, what its status callbacks prove, and what people write to us."""

import hmac
from base64 import b64encode
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import pytest

from apps.core.enums import EventKind
from apps.core.types import InboundText, ProviderCall
from tests.contract.conformance import NOW
from tests.contract.twilio.cast import TwilioCase
from tests.simulators.twilio import NUMBER, inbound, signed


class TestTwilioReceipts(TwilioCase):
    @pytest.mark.parametrize(
        ("url", "phone", "signature"),
        [
            # Twilio's documentation of request validation, then and now
            ("https://mycompany.com/myapp.php?foo=1&bar=2", "+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            ("https://mycompany.com/myapp.php?foo=1&bar=2", "+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
            ("https://mycompany.com/myapp.php?foo=1&bar=3", "+14158675309", None),
        ],
    )
    def test_it_takes_the_documented_signatures(self, url: str, phone: str, signature: str | None) -> None:
        form = {"CallSid": "CA1234567890ABCDE", "Caller": phone, "Digits": "1234", "From": phone, "To": "+18005551212"}
        headers = {"x-twilio-signature": signature or "RSOYDt4T1cUTdK1PDd93/VVr8B8="}
        own = replace(self.own(), credentials={"auth_token": "12345"})
        call = ProviderCall(url, headers, urlencode(form).encode())
        assert self.provider.verify(own, call, NOW) is (signature is not None)

    def test_it_takes_sha256_when_the_call_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        call, _ = self.call(NOW)
        # HMAC-SHA256 over the same text, by hand
        fields = sorted(parse_qsl(call.body.decode()))
        text = call.url + "".join(name + value for name, value in fields)
        signature = b64encode(hmac.digest(b"shared", text.encode(), "sha256")).decode()
        named = "X-Twilio-Webhooks-Signature-Settings".lower()
        own = replace(self.own(), webhook_secrets=("shared",))
        for algorithm, is_taken in (("HMAC_SHA256", True), ("HMAC_SHA1", False), ("HMAC_MD5", False), ("none", False)):
            headers = {"x-twilio-signature": signature, named: f"key=k1,algorithm={algorithm}"}
            assert self.provider.verify(own, replace(call, headers=headers), NOW) is is_taken
        # a stranger cannot fill our log
        assert caplog.records == []

    def test_it_takes_a_signature_over_the_address_as_it_was_given(self) -> None:
        given = f"{self.url}?reference=at_1#rc=5&rp=5xx,ct,rt"
        call = signed(given, {"MessageSid": "SM1", "MessageStatus": "sent"})
        assert self.provider.verify(self.own(), replace(call, url=given.partition("#")[0]), NOW)

    def test_it_refuses_the_same_call_for_another_reference(self) -> None:
        call, _ = self.call(NOW)
        assert not self.provider.verify(self.own(), replace(call, url=f"{self.url}?reference=at_2"), NOW)

    @pytest.mark.parametrize("body", [b"\xff=\xfe", b"a=1&" * 2000, b""])
    def test_it_refuses_bodies_that_are_none(self, body: bytes) -> None:
        call, _ = self.call(NOW)
        assert not self.provider.verify(self.own(), replace(call, body=body), NOW)

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            ("sent", EventKind.SENT),
            ("delivered", EventKind.DELIVERED),
            ("read", EventKind.OPENED),
            ("undelivered", EventKind.FAILED),
            ("failed", EventKind.FAILED),
            ("canceled", EventKind.FAILED),
            ("partially_delivered", EventKind.DELIVERED),
        ],
    )
    def test_it_maps_every_status_that_says_something(self, status: str, kind: EventKind) -> None:
        (receipt,) = self.said(status)
        assert (receipt.kind, receipt.event_id, receipt.reference) == (kind, f"SM1-{status}", "at_1")
        assert (receipt.provider_message_id, receipt.at) == ("SM1", NOW)

    @pytest.mark.parametrize("status", ["queued", "accepted", "scheduled", "sending", "receiving", "new-word"])
    def test_it_leaves_out_what_says_nothing(self, status: str) -> None:
        assert self.said(status) == []

    @pytest.mark.parametrize(
        ("error", "sender", "expected"),
        [
            ("30003", NUMBER, [(EventKind.FAILED, "30003")]),
            ("30005", NUMBER, [(EventKind.FAILED, "invalid_address")]),
            ("30006", NUMBER, [(EventKind.FAILED, "invalid_address")]),
            ("30006", "89045", [(EventKind.FAILED, "30006")]),
            ("30007", NUMBER, [(EventKind.FAILED, "30007")]),
            ("30008", NUMBER, [(EventKind.FAILED, "30008")]),
            ("30004", NUMBER, [(EventKind.FAILED, "30004"), (EventKind.OPTED_OUT, "30004")]),
            ("21610", NUMBER, [(EventKind.FAILED, "21610"), (EventKind.OPTED_OUT, "21610")]),
            ("", NUMBER, [(EventKind.FAILED, "undelivered")]),
        ],
    )
    def test_it_blames_the_address_only_for_what_proves_it(
        self, error: str, sender: str, expected: list[tuple[EventKind, str]]
    ) -> None:
        receipts = self.said("undelivered", From=sender, **({"ErrorCode": error} if error else {}))
        assert [(receipt.kind, receipt.code) for receipt in receipts] == expected
        assert len({receipt.event_id for receipt in receipts}) == len(expected)

    @pytest.mark.parametrize(("word", "keyword"), [("STOP", "stop"), ("HELP", "help"), ("", "")])
    def test_it_reads_what_people_write(self, word: str, keyword: str) -> None:
        more = {"OptOutType": word} if word else {}
        call = replace(inbound(self.url, "+12025550001", "Stop & go", sid="SM9", **more), received_at=NOW)
        assert self.provider.verify(self.own(), call, NOW)
        assert self.provider.parse_receipts(self.own(), call) == []
        assert self.provider.parse_inbound(self.own(), call) == [
            InboundText("SM9", NOW, "+12025550001", "Stop & go", keyword)
        ]

    def test_a_receipt_is_no_text(self) -> None:
        call, _ = self.call(NOW)
        assert self.provider.parse_inbound(self.own(), call) == []

    def test_it_is_thanked_in_twiml(self) -> None:
        assert self.provider.thanks == (200, "text/xml", b'<?xml version="1.0" encoding="UTF-8"?><Response/>')
