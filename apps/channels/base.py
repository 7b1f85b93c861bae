"""The provider contract. A provider translates; this class does the rest.

A subclass says `name`, `channels`, `max_batch`, and writes `build` and `parse` (pure, no clock, no socket). Its own error words
are data: `kinds` and `statuses`. If it has receipts: `has_receipts`, `verify`, `parse_receipts`. See docs/adding-a-provider.md.
"""

import logging
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import ClassVar

import msgspec

from apps.channels.answers import FAULT_KINDS, kind_of_status, retry_after
from apps.channels.deadlines import Deadline
from apps.channels.transport import Fault, HttpRequest, HttpResponse, exchange
from apps.core import clock
from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome, Receipt

__all__ = ["HttpRequest", "HttpResponse", "Provider", "UnreadableError", "UntranslatableError"]
log = logging.getLogger(__name__)
Messages = Sequence[OutboundMessage]


class UntranslatableError(ValueError):
    """Raised by `build` for a message that this provider cannot express; its text is shown to the template's owner."""


class UnreadableError(ValueError):
    """Raised by `parse` and `parse_receipts` for a body that makes no sense; a failed decoding will do as well."""


class Provider(ABC):
    name: ClassVar[str]
    channels: ClassVar[frozenset[Channel]]
    has_receipts: ClassVar[bool] = False
    max_batch: ClassVar[int] = 1
    # the provider's error codes, and HTTP statuses where it departs from answers.STATUS_KINDS
    kinds: ClassVar[Mapping[str, OutcomeKind]] = {}
    statuses: ClassVar[Mapping[int, OutcomeKind]] = {}

    def split(self, account: Account, messages: Messages) -> list[list[OutboundMessage]]:
        """The calls these messages take, in order; each is what one `send` takes."""
        size = min(account.batch_size or self.max_batch, self.max_batch)
        return [list(messages[start : start + size]) for start in range(0, len(messages), size)]

    def send(self, account: Account, messages: Messages, *, deadline: float) -> list[Outcome]:
        """One Outcome per message, in order, after exactly one request (none, if no message can be translated).

        `deadline`: seconds for everything. Never raises for what a provider said or a socket did.
        Raises ValueError for more messages than one call takes.
        """
        if not 0 < len(messages) <= self.max_batch:
            raise ValueError(f"{self.name} takes 1 to {self.max_batch} messages a call, not {len(messages)}.")
        return self.call(account, messages, Deadline(deadline, account.connect_timeout, account.read_timeout))

    def call(self, account: Account, messages: Messages, deadline: Deadline) -> list[Outcome]:
        """HTTP. A provider that speaks another protocol has its own."""
        started = monotonic()
        request, refused = self._translate(account, messages)
        if request is None:
            return [refused[place] for place in range(len(messages))]
        sent = [message for place, message in enumerate(messages) if place not in refused]
        answer = exchange(account, request, deadline)
        seen = {"status": answer.status if isinstance(answer, HttpResponse) else 0, "ms": _ms(started)}
        answers = iter(
            [replace(outcome, exchange=seen | {"code": outcome.code}) for outcome in self._read(sent, answer)]
        )
        return [refused[place] if place in refused else next(answers) for place in range(len(messages))]

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        """The one request for these messages. Raises UntranslatableError."""
        raise NotImplementedError

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        """One Outcome per message of a 2xx answer, in order. Raises UnreadableError."""
        raise NotImplementedError

    def parse_refusal(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        """The same for an answer outside 2xx. By default one kind for all: by the provider's code, else by status."""
        code = self.error_code(response)
        return [self.outcome(code or str(response.status), response)] * len(messages)

    def error_code(self, response: HttpResponse) -> str:
        """The provider's own code in an error answer, or an empty string."""
        return ""

    def verify(self, account: Account, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """Whether the provider sent this call of ours. `headers` by lower-case name."""
        return False

    def parse_receipts(self, account: Account, headers: Mapping[str, str], body: bytes) -> list[Receipt]:
        """What a verified call says. Raises UnreadableError."""
        raise NotImplementedError

    def outcome(self, code: str, response: HttpResponse, *, detail: str = "") -> Outcome:
        """A refusal by the tables: the code's kind, else the status's."""
        kind = self.kinds.get(code) or self.statuses.get(response.status) or kind_of_status(response.status)
        wait = retry_after(response.headers.get("retry-after"), clock.now())
        return Outcome(kind, code[:64], detail[:500], retry_after=wait)

    def _translate(self, account: Account, messages: Messages) -> tuple[HttpRequest | None, dict[int, Outcome]]:
        """The request, and refusals by place. One message that cannot be translated does not take the others with it."""
        try:
            return self.build(account, messages), {}
        except Exception as error:
            if len(messages) == 1:
                return None, {0: _untranslatable(self.name, error)}
        refused = {}
        for place, message in enumerate(messages):
            try:
                self.build(account, [message])
            except Exception as error:
                refused[place] = _untranslatable(self.name, error)
        kept = [message for place, message in enumerate(messages) if place not in refused]
        return self.build(account, kept) if kept else None, refused

    def _read(self, messages: Messages, answer: HttpResponse | Fault) -> list[Outcome]:
        """An answer that cannot be read is in doubt when it was a success, and goes by its status when it was not."""
        if isinstance(answer, Fault):
            return [Outcome(FAULT_KINDS[answer.code], answer.code, answer.detail[:500])] * len(messages)
        try:
            outcomes = (self.parse if answer.is_success else self.parse_refusal)(messages, answer)
            if len(outcomes) != len(messages):
                raise UnreadableError(f"{len(outcomes)} results for {len(messages)} messages")
        except Exception as error:
            if not isinstance(error, (ValueError, msgspec.MsgspecError)):
                log.error(
                    "answer not understood", extra={"provider": self.name, "status": answer.status}, exc_info=error
                )
            if answer.is_success:
                return [Outcome(FAULT_KINDS["answer_unreadable"], "answer_unreadable")] * len(messages)
            return [self.outcome(str(answer.status), answer)] * len(messages)
        return outcomes


def _untranslatable(provider: str, error: Exception) -> Outcome:
    if not isinstance(error, UntranslatableError):
        log.error("message not translated", extra={"provider": provider}, exc_info=error)
        return Outcome(OutcomeKind.REJECTED, "untranslatable", type(error).__name__)
    return Outcome(OutcomeKind.REJECTED, "untranslatable", str(error)[:500])


def _ms(started: float) -> int:
    return round((monotonic() - started) * 1000)
