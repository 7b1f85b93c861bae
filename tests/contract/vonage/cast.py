"""An account at Vonage, and a call of Vonage's."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

from apps.core.enums import Channel, EventKind
from apps.core.types import Account, ProviderCall, Receipt
from tests.contract.conformance import ProviderCase
from tests.simulators.base import Taken
from tests.simulators.vonage import API_KEY, API_SECRET, SECRET, VonageSimulator


class VonageCase(ProviderCase):
    name = "vonage"
    channel = Channel.SMS
    credentials: ClassVar[dict[str, str]] = {"api_key": API_KEY, "api_secret": API_SECRET}
    webhook_secrets = (SECRET,)
    url: ClassVar[str] = "https://notify.acme.test/v1/receipts/acme-first"

    def own(self) -> Account:
        return self.account("http://127.0.0.1:9")

    def account(self, base_url: str) -> Account:
        return replace(super().account(base_url), receipts_url=self.url)

    def sender(self) -> str:
        return "+15005550006"

    def address(self, number: int) -> str:
        return f"+1202555{number:04d}"

    def content(self) -> dict[str, str]:
        return {"body": "Your code is 4711"}

    def call(self, now: datetime) -> tuple[ProviderCall, list[Receipt]]:
        at = now - timedelta(seconds=3)
        taken = Taken("at_1", "uuid-1", "12025550001", receipts_to=self.url, extra={"from": "15005550006"})
        said = VonageSimulator().receipt(taken, "delivered", at.timestamp())
        assert said is not None
        return said, [Receipt("uuid-1-delivered", EventKind.DELIVERED, at, "at_1", "uuid-1")]
