"""An account at Twilio, and what the cases ask of it."""

from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode

import msgspec
from msgspec import structs

from apps.core.enums import Channel, EventKind
from apps.core.types import Account, ProviderCall, Receipt
from tests.contract.conformance import NOW, ProviderCase
from tests.contract.scripted import Seen, answer, scripted
from tests.simulators.base import Taken
from tests.simulators.twilio import NUMBER, SID, TOKEN, TwilioSimulator


def refusal(code: int) -> bytes:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return msgspec.json.encode({"code": code, "message": "No", "more_info": more, "status": 400})


class TwilioCase(ProviderCase):
    name = "twilio"
    channel = Channel.SMS
    credentials: ClassVar[dict[str, str]] = {"account_sid": SID, "auth_token": TOKEN}
    url: ClassVar[str] = "https://notify.acme.test/v1/receipts/acme-first"

    def account(self, base_url: str) -> Account:
        return replace(super().account(base_url), receipts_url=self.url)

    def own(self) -> Account:
        return self.account("http://127.0.0.1:9")

    def sender(self) -> str:
        return NUMBER

    def address(self, number: int) -> str:
        return f"+1202555{number:04d}"

    def content(self) -> dict[str, str]:
        return {"body": "Your code is 4711"}

    def accepted(self, seen: Seen) -> tuple[int, bytes, list[str]]:
        form = parse_qs(seen.body.decode())
        sid = "SM" + form["To"][0][-4:].rjust(32, "0")
        return 201, msgspec.json.encode({"sid": sid, "status": "queued", "error_code": None}), [sid]

    def call(self, now: datetime) -> tuple[ProviderCall, list[Receipt]]:
        taken = Taken("at_1", "SM1", "+12025550001", receipts_to=f"{self.url}?reference=at_1")
        said = TwilioSimulator().receipt(taken, "delivered", 0)
        assert said is not None
        return replace(said, received_at=now), [Receipt("SM1-delivered", EventKind.DELIVERED, now, "at_1", "SM1")]

    def sent(self, account: Account, **changes: Any) -> dict[str, str]:
        """The form on the wire, for one message."""
        (message,) = self.messages(1)
        with scripted(answer(201, b'{"sid": "SM1"}')) as server:
            own = replace(account, base_url=server.url)
            (outcome,) = self.provider.send(own, [structs.replace(message, **changes)], deadline=2.0)
        if not server.requests:
            return {"refused": outcome.detail}
        self.seen, self.message = server.requests[0], structs.replace(message, **changes)
        return {name: values[0] for name, values in parse_qs(self.seen.body.decode(), strict_parsing=True).items()}

    def said(self, status: str, **more: str) -> list[Receipt]:
        form = {"MessageSid": "SM1", "MessageStatus": status, "From": NUMBER, **more}
        call = ProviderCall(f"{self.url}?reference=at_1", {}, urlencode(form).encode(), NOW)
        return self.provider.parse_receipts(self.own(), call)
