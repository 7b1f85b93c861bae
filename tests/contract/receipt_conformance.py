"""The cases that every provider passes that sends receipts: verified, forged, stripped, replayed, read twice."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

import pytest

from apps.core.types import Account, ProviderCall, Receipt
from tests.contract.conformance import NOW, ProviderCase


class ReceiptConformance(ProviderCase):
    url: ClassVar[str] = "https://notify.acme.test/v1/receipts/acme-first"
    has_age: ClassVar[bool] = True
    """False for a scheme that signs no time: then the receipts' own ids, which count once, are what stops a replay."""

    def call(self, now: datetime) -> tuple[ProviderCall, list[Receipt]]:
        """A call as the provider would make it at that time, signed for `account()`, and what it says."""
        raise NotImplementedError

    def own(self) -> Account:
        return self.account("http://127.0.0.1:9")

    def test_it_verifies_what_the_provider_signed(self) -> None:
        call, _ = self.call(NOW)
        assert self.provider.has_receipts
        assert self.provider.verify(self.own(), call, NOW)

    def test_it_refuses_a_changed_body(self) -> None:
        call, _ = self.call(NOW)
        assert not self.provider.verify(self.own(), replace(call, body=self.changed(call.body)), NOW)

    def changed(self, body: bytes) -> bytes:
        return body + b" "

    def test_it_refuses_the_signature_of_another_secret(self) -> None:
        call, _ = self.call(NOW)
        credentials = {name: f"{value}-other" for name, value in self.credentials.items()}
        secrets = tuple(f"{secret}-other" for secret in self.webhook_secrets)
        other = replace(self.own(), credentials=credentials, webhook_secrets=secrets)
        assert not self.provider.verify(other, call, NOW)
        assert not self.provider.verify(replace(other, credentials={}, webhook_secrets=()), call, NOW)

    def test_it_takes_any_of_several_secrets(self) -> None:
        """Secrets are changed while calls signed with the old one are under way."""
        call, _ = self.call(NOW)
        if self.webhook_secrets:
            both = (f"{self.webhook_secrets[0]}-new", *self.webhook_secrets)
            assert self.provider.verify(replace(self.own(), webhook_secrets=both), call, NOW)

    def test_it_refuses_a_call_without_any_of_its_headers(self) -> None:
        call, _ = self.call(NOW)
        assert not self.provider.verify(self.own(), replace(call, headers={}), NOW)

    @pytest.mark.parametrize("age", [timedelta(hours=25), timedelta(days=-2)])
    def test_it_refuses_a_replay_of_old(self, age: timedelta) -> None:
        call, _ = self.call(NOW)
        assert self.provider.verify(self.own(), call, NOW + age) is not self.has_age

    def test_it_reads_receipts_with_stable_ids(self) -> None:
        call, expected = self.call(NOW)
        assert self.provider.parse_receipts(self.own(), call) == expected
        assert self.provider.parse_receipts(self.own(), call) == expected
        assert len({receipt.event_id for receipt in expected}) == len(expected) > 0

    def test_it_raises_for_a_body_that_makes_no_sense(self) -> None:
        call, _ = self.call(NOW)
        with pytest.raises(ValueError):
            self.provider.parse_receipts(self.own(), replace(call, body=b"<html>"))
