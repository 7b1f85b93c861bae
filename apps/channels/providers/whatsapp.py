"""WhatsApp through Twilio, to the numbers that people gave for text messages. https://www.twilio.com/docs/whatsapp/api

An account of this provider carries the channel `sms`: put it before or after the SMS accounts, or give it to one tenant.
Credentials, webhook secrets, receipts and inbound texts: as in twilio.py. Sender: a WhatsApp sender's number (E.164), with or
without `whatsapp:`, or a messaging service that has one.
Settings: those of twilio.py; `content_sid` (an approved template; WhatsApp demands one unless the person has written within 24
hours) and `content_variables`, which of our fields each variable of it shows: {"1": "body"} by default.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from apps.channels.base import UntranslatableError
from apps.channels.providers.twilio import MESSAGING_SERVICE, TwilioProvider
from apps.core.enums import OutcomeKind
from apps.core.types import Account, OutboundMessage

PREFIX = "whatsapp:"
DEFAULT_VARIABLES = {"1": "body"}

# https://www.twilio.com/docs/api/errors; a number that is not on WhatsApp (63003, 63024) may well take text messages: it stays
CODES: Mapping[OutcomeKind, str] = {
    OutcomeKind.REJECTED: "63003 63005 63006 63013 63016 63019 63021 63024 63025 63027 63028 63030 63032",
    OutcomeKind.MISCONFIGURED: "63001 63007 63008 63020 63022",
    OutcomeKind.THROTTLED: "63017 63018 63038",
    OutcomeKind.TRANSIENT: "63010 63012",
}


class WhatsappProvider(TwilioProvider):
    name = "whatsapp"
    kinds = TwilioProvider.kinds | {code: kind for kind, codes in CODES.items() for code in codes.split()}

    def carried(self, address: str) -> str:
        is_whole = not address or address.startswith(PREFIX) or MESSAGING_SERVICE.fullmatch(address)
        return address if is_whole else PREFIX + address

    def content(self, account: Account, message: OutboundMessage) -> dict[str, Any]:
        template = account.settings.get("content_sid")
        if not template:
            return super().content(account, message)
        fields = account.settings.get("content_variables") or DEFAULT_VARIABLES
        shown = {variable: " ".join(message.content.get(field, "").split()) for variable, field in fields.items()}
        if empty := [variable for variable, text in shown.items() if not text]:
            raise UntranslatableError(f"There is nothing to show for {', '.join(empty)} of the WhatsApp template.")
        return {"content_sid": template, "content_variables": msgspec.json.encode(shown).decode()}
