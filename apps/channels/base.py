"""The provider contract. A provider translates; this class does the rest.

A subclass says `name`, `channels`, `max_batch`, and writes `build` and `parse` (pure, no clock, no socket). Its own error words
are data: `kinds` and `statuses`. If it has receipts: `has_receipts`, `verify`, `parse_receipts`. See docs/adding-a-provider.md.

Where a provider has an SDK, the SDK writes the letter and reads its own words; the letter is posted here, so that no SDK can
send twice, wait for ever or hide an answer.
"""

import logging
import os
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from time import monotonic
from typing import ClassVar

import msgspec
from msgspec import structs

from apps.channels.answers import FAULT_KINDS, kind_of_status, retry_after
from apps.channels.deadlines import Deadline
from apps.channels.transport import Fault, HttpRequest, HttpResponse, exchange, line
from apps.core import clock
from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Account, InboundText, OutboundMessage, Outcome, ProviderCall, Receipt

__all__ = ["HttpRequest", "HttpResponse", "NotSentError", "Provider", "UnreadableError", "UntranslatableError"]
log = logging.getLogger(__name__)
Messages = Sequence[OutboundMessage]
AT_ONCE = 128
# seconds, where a provider that tells us to wait does not say how long
LEAST_WAIT = 1.0


class UntranslatableError(ValueError):
    """Raised by `build` for a message that this provider cannot express; its text is shown to the template's owner."""


class UnreadableError(ValueError):
    """Raised by `parse` and `parse_receipts` for a body that makes no sense; a failed decoding will do as well."""


class UnverifiableError(Exception):
    """Raised by `verify` when what it takes cannot be had now; the caller is told to come again."""


class NotSentError(Exception):
    """Raised by `authorize` when the request cannot be made: nothing was sent, and this is each message's outcome."""

    def __init__(self, kind: OutcomeKind, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.outcome = Outcome(kind, code[:64], detail[:500])


class Provider(ABC):
    name: ClassVar[str]
    channels: ClassVar[frozenset[Channel]]
    has_receipts: ClassVar[bool] = False
    # what a stored call of the provider is answered with: status, content type, body
    thanks: ClassVar[tuple[int, str, bytes]] = (202, "application/json", b'{"status":"stored"}')
    has_look_up: ClassVar[bool] = False
    # what it reaches on a channel of many kinds of device: Endpoint.carried_as; empty: everything
    platforms: ClassVar[frozenset[str]] = frozenset()
    # messages in one request, and requests made at the same time by one `send`
    max_batch: ClassVar[int] = 1
    fan_out: ClassVar[int] = 1
    # the provider's error codes, and HTTP statuses where it departs from answers.STATUS_KINDS
    kinds: ClassVar[Mapping[str, OutcomeKind]] = {}
    # codes of MISCONFIGURED that concern one message's country or sender only: the account stays on, the next one is tried
    soft_config: ClassVar[frozenset[str]] = frozenset()
    # codes of THROTTLED that concern one message only: the account goes on at its own pace
    throttled_alone: ClassVar[frozenset[str]] = frozenset()
    statuses: ClassVar[Mapping[int, OutcomeKind]] = {}

    def carries(self, platform: str, account: Account | None = None) -> bool:
        """Whether it reaches this kind of device (`ios`, `android`, `web`, `web_push`). The account's setting `platforms` narrows
        it: two providers may both reach a platform, but a token belongs to one of them."""
        narrowed = account.settings.get("platforms") if account else None
        if narrowed and platform and platform not in ([narrowed] if isinstance(narrowed, str) else narrowed):
            return False
        return not self.platforms or platform in self.platforms

    def split(self, account: Account, messages: Messages) -> list[list[OutboundMessage]]:
        """The calls these messages take, in order; each is what one `send` takes."""
        return _chunks(messages, self.batch(account) * min(self.fan_out, account.pool_size))

    def send(
        self,
        account: Account,
        messages: Messages,
        *,
        deadline: float,
        on_wait: Callable[[float], None] | None = None,
        asked_wait: Callable[[], float] | None = None,
    ) -> list[Outcome]:
        """One Outcome per message, in order, after exactly one request for each (none for one that cannot be translated, and none
        for those not begun yet when an answer told the account to wait: `not_begun`).

        `deadline`: seconds for everything. `on_wait`: called with the seconds as soon as an answer tells the account to wait;
        `asked_wait`: those that an answer to somebody else asks for, 0 for none, asked just before each request.
        Never raises for what a provider said or a socket did.
        Raises ValueError for more messages than one call takes.
        """
        most = self.max_batch * self.fan_out
        if not 0 < len(messages) <= most:
            raise ValueError(f"{self.name} takes 1 to {most} messages a call, not {len(messages)}.")
        bounds = Deadline(deadline, account.connect_timeout, account.read_timeout, on_wait, asked_wait)
        return self.call(account, messages, bounds)

    def call(self, account: Account, messages: Messages, deadline: Deadline) -> list[Outcome]:
        """HTTP: as many requests as it takes, side by side. A provider that speaks another protocol has its own."""
        first, *others = _chunks(messages, self.batch(account))
        running = [_requests().submit(self._request, account, some, deadline) for some in others]
        outcomes = self._request(account, first, deadline)
        for one in running:
            outcomes += one.result()
        return outcomes

    def _request(self, account: Account, messages: Messages, deadline: Deadline) -> list[Outcome]:
        started = monotonic()
        request, refused = self._translate(account, messages)
        if request is None:
            return [refused[place] for place in range(len(messages))]
        sent = [message for place, message in enumerate(messages) if place not in refused]
        try:
            request = self.authorize(account, request, deadline)
        except NotSentError as error:
            outcome = structs.replace(
                error.outcome, exchange={"status": 0, "ms": _ms(started), "code": error.outcome.code}
            )
            return [refused.get(place, outcome) for place in range(len(messages))]
        # whoever waits for this connection begins when it is known what was said on it
        with line(account, deadline):
            if told := deadline.told():
                outcome = _not_begun(told)
                return [refused.get(place, outcome) for place in range(len(messages))]
            answer = exchange(account, request, deadline)
            seen = {"status": answer.status if isinstance(answer, HttpResponse) else 0, "ms": _ms(started)}
            outcomes = self.reconsider(account, request, self._read(sent, answer))
            if wait := self.wait(outcomes):
                deadline.told_to_wait(wait)
        # one for all of a code: the ledger writes it once (sending_results.py)
        noted = {code: seen | {"code": code} for code in {outcome.code for outcome in outcomes}}
        answers = iter([structs.replace(outcome, exchange=noted[outcome.code]) for outcome in outcomes])
        return [refused[place] if place in refused else next(answers) for place in range(len(messages))]

    def wait(self, outcomes: Sequence[Outcome]) -> float:
        """Seconds that these answers tell the whole account to wait; 0 when none does."""
        told = [one for one in outcomes if one.kind is OutcomeKind.THROTTLED and one.code not in self.throttled_alone]
        return max((one.retry_after or LEAST_WAIT for one in told), default=0.0)

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        """The one request for these messages. Raises UntranslatableError."""
        raise NotImplementedError

    def authorize(self, account: Account, request: HttpRequest, deadline: Deadline) -> HttpRequest:
        """The request with what needs a clock or a request of its own: a signature, a token. Raises NotSentError."""
        return request

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

    def reconsider(self, account: Account, request: HttpRequest, outcomes: list[Outcome]) -> list[Outcome]:
        """Second thoughts about what was read, with the account and the request at hand: a token to forget, a refusal that
        speaks of us rather than of the address (blame.py). Never raises, never sends."""
        return outcomes

    def verify(self, account: Account, call: ProviderCall, now: datetime) -> bool:
        """Whether the provider sent this call of ours. Raises UnverifiableError when that cannot be told now."""
        return False

    def parse_receipts(self, account: Account, call: ProviderCall) -> list[Receipt]:
        """What a verified call says. Raises UnreadableError."""
        raise NotImplementedError

    def parse_inbound(self, account: Account, call: ProviderCall) -> list[InboundText]:
        """The texts that people sent to us, in a verified call."""
        return []

    def look_up(self, account: Account, message: OutboundMessage, since: datetime, deadline: Deadline) -> str | None:
        """The provider's id of a message in doubt, which it was given after `since`: "" when it has none such, None when it
        cannot say."""
        return None

    def acknowledge(self, account: Account, call: ProviderCall, deadline: Deadline) -> None:
        """What a verified call asks of us besides being read: the confirmation of a subscription. By a worker, before
        `parse_receipts`, and again whenever the call is applied again. Raises NotSentError when it must be tried later."""
        return

    def check_credentials(self, account: Account, deadline: Deadline) -> Outcome | None:
        """Whether the provider knows us, asked without sending anything: ACCEPTED, or what stands in the way; None when it
        cannot be asked. `detail`: what is true of the account, or the fix, in words."""
        return None

    def reported_rate(self, account: Account, deadline: Deadline) -> float | None:
        """Messages a second that the provider itself says it takes from this account; None when it does not say."""
        return None

    def outcome(self, code: str, response: HttpResponse, *, detail: str = "") -> Outcome:
        """A refusal by the tables: the code's kind, else the status's."""
        kind = self.kinds.get(code) or self.statuses.get(response.status) or kind_of_status(response.status)
        wait = retry_after(response.headers.get("retry-after"), clock.now())
        return Outcome(kind, code[:64], detail[:500], retry_after=wait)

    def batch(self, account: Account) -> int:
        """Messages in one request."""
        return min(account.batch_size or self.max_batch, self.max_batch)

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


@cache
def _requests() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="request")


os.register_at_fork(after_in_child=_requests.cache_clear)


def _chunks(messages: Messages, size: int) -> list[list[OutboundMessage]]:
    return [list(messages[start : start + size]) for start in range(0, len(messages), size)]


def _untranslatable(provider: str, error: Exception) -> Outcome:
    if not isinstance(error, UntranslatableError):
        log.error("message not translated", extra={"provider": provider}, exc_info=error)
        return Outcome(OutcomeKind.REJECTED, "untranslatable", type(error).__name__)
    return Outcome(OutcomeKind.REJECTED, "untranslatable", str(error)[:500])


def _not_begun(wait: float) -> Outcome:
    seen = {"status": 0, "ms": 0, "code": "not_begun"}
    return Outcome(
        OutcomeKind.THROTTLED, "not_begun", "Another answer had just told us to wait.", retry_after=wait, exchange=seen
    )


def _ms(started: float) -> int:
    return round((monotonic() - started) * 1000)
