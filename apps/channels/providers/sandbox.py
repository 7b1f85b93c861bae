"""The sandbox: every channel, nothing leaves the house. What happens to a message is written in its address (sandbox/behaviour.py)."""

from datetime import UTC, datetime
from itertools import groupby

import msgspec

from apps.channels.base import HttpRequest, HttpResponse, Messages, Provider, UnreadableError
from apps.channels.reading import read_each
from apps.channels.sandbox.behaviour import behaviour_of
from apps.channels.sandbox.wire import (
    BATCH_LIMIT,
    SandboxAnswer,
    SandboxBatch,
    SandboxEvent,
    SandboxEvents,
    SandboxMessage,
    SandboxRefusal,
    SandboxResult,
    encode,
)
from apps.channels.standard_webhooks import is_signed
from apps.core.enums import Channel, EventKind, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome, ProviderCall, Receipt

_answer = msgspec.json.Decoder(SandboxAnswer)
_events = msgspec.json.Decoder(SandboxEvents)


class SandboxProvider(Provider):
    name = "sandbox"
    channels = frozenset({Channel.EMAIL, Channel.SMS, Channel.PUSH})
    has_receipts = True
    max_batch = BATCH_LIMIT
    kinds = {
        "throttled": OutcomeKind.THROTTLED,
        "try_later": OutcomeKind.TRANSIENT,
        "invalid_address": OutcomeKind.INVALID_ADDRESS,
        "opted_out": OutcomeKind.OPTED_OUT,
    }
    statuses = {404: OutcomeKind.MISCONFIGURED}

    def split(self, account: Account, messages: Messages) -> list[list[OutboundMessage]]:
        """Addresses that do something to a whole call (slow, drop, down) are given calls of their own, so that the neighbours of a
        magic address are not drawn into it. No real provider would know."""
        words = [behaviour_of(m.channel, m.address) for m in messages]
        plain = [m for m, behaviour in zip(messages, words, strict=True) if not behaviour.connection]
        magic = [(behaviour.word, m) for m, behaviour in zip(messages, words, strict=True) if behaviour.connection]
        calls = super().split(account, plain)
        for _, group in groupby(sorted(magic, key=lambda item: item[0]), key=lambda item: item[0]):
            calls += super().split(account, [message for _, message in group])
        return calls

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        batch = SandboxBatch(
            account.key,
            [
                SandboxMessage(
                    m.reference, m.delivery, m.tenant, m.category, m.address, m.platform, m.sender, dict(m.content)
                )
                for m in messages
            ],
        )
        return HttpRequest(
            f"{account.base_url}/{messages[0].channel}/messages",
            encode(batch),
            {"Authorization": f"Bearer {account.credentials.get('secret', '')}", "Content-Type": "application/json"},
        )

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        results = _answer.decode(response.body).results
        if [result.reference for result in results] != [message.reference for message in messages]:
            raise UnreadableError("the results are for other messages")
        return [self._outcome(result) for result in results]

    def error_code(self, response: HttpResponse) -> str:
        return msgspec.json.decode(response.body, type=SandboxRefusal).error

    def verify(self, account: Account, call: ProviderCall, now: datetime) -> bool:
        secrets = account.webhook_secrets or (account.credentials.get("secret", ""),)
        return is_signed(secrets, call.headers, call.body, now)

    def parse_receipts(self, account: Account, call: ProviderCall) -> list[Receipt]:
        return read_each(_events.decode(call.body).events, _receipt)

    def _outcome(self, result: SandboxResult) -> Outcome:
        if not result.error:
            return Outcome(OutcomeKind.ACCEPTED, provider_message_id=result.id)
        kind = self.kinds.get(result.error, OutcomeKind.REJECTED)
        return Outcome(kind, result.error, retry_after=result.retry_after)


def _receipt(event: SandboxEvent) -> Receipt:
    return Receipt(
        event_id=event.event_id,
        kind=EventKind(event.kind),
        at=datetime.fromtimestamp(event.at, UTC),
        reference=event.reference,
        provider_message_id=event.message_id,
        code=event.code,
    )
