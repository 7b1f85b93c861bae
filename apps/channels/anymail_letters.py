"""What the email APIs have in common: django-anymail writes the request, the base posts it, our tables read the answer.

anymail's backends are never opened and have no session here: their payloads are made, asked for the request's parameters
(`get_request_params`, anymail's documented way to add a provider), and left.
"""

import re
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from copy import copy
from datetime import UTC, datetime
from typing import Any, ClassVar

from anymail.backends.base_requests import AnymailRequestsBackend, RequestsPayload
from anymail.exceptions import AnymailError, AnymailWarning
from msgspec import structs
from requests import PreparedRequest

from apps.channels.answers import FAULT_KINDS, LONGEST_WAIT, SHORTEST_WAIT
from apps.channels.base import HttpRequest, HttpResponse, Messages, Provider, UntranslatableError
from apps.channels.deadlines import Deadline
from apps.channels.mail import letter
from apps.channels.transport import Fault, exchange
from apps.core import clock
from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome

# the key of our attempt's id in custom_args, variables and metadata; Postmark takes keys of up to 20 characters
REFERENCE = "notifier_reference"
PERSONAL = frozenset({OutcomeKind.INVALID_ADDRESS, OutcomeKind.OPTED_OUT})
OLDEST_CALL, NEWEST_CALL = 24 * 3600, 300
_ADDRESS = re.compile(r"[^\s<>'\",;:()]+@[^\s<>'\",;:()]+")
_MILLISECONDS_FROM = 100_000_000_000


class LetterProvider(Provider):
    """`backend`: anymail's, made once by `quiet`, copied for each message with the account's own options. `most_bytes`: what the
    provider takes in one message."""

    channels = frozenset({Channel.EMAIL})
    has_receipts = True
    backend: ClassVar[AnymailRequestsBackend]
    most_bytes: ClassVar[int]

    @abstractmethod
    def api_url(self, account: Account) -> str:
        """Where the API begins, with a slash at the end."""

    @abstractmethod
    def options(self, account: Account, message: OutboundMessage) -> Mapping[str, Any]:
        """The backend's attributes for this message: its key, its sending domain, its stream."""

    def extra(self, account: Account, message: OutboundMessage) -> Mapping[str, Any]:
        """What anymail has no word for: its `esp_extra`."""
        return {}

    def headers(self, message: OutboundMessage) -> Mapping[str, str]:
        """More headers for the mail."""
        return {}

    def payload(self, account: Account, message: OutboundMessage) -> RequestsPayload:
        """Raises UntranslatableError. Opens and links are tracked only if the account's settings say so."""
        mail = letter(account, message)
        mail.extra_headers |= self.headers(message)
        vars(mail).update(
            metadata={REFERENCE: message.reference},
            tags=[message.category.value],
            track_opens=account.settings.get("track_opens") is True,
            track_clicks=account.settings.get("track_clicks") is True,
            esp_extra=dict(self.extra(account, message)),
        )
        backend = copy(self.backend)
        vars(backend).update(self.options(account, message))
        try:
            return backend.build_message_payload(mail, {})
        except AnymailError as error:
            raise UntranslatableError(f"{self.name} cannot carry it ({type(error).__name__}).") from None

    def written(self, account: Account, payload: RequestsPayload) -> HttpRequest:
        """The request of one payload. Raises UntranslatableError for one that is too large."""
        said = payload.get_request_params(self.api_url(account))
        made = PreparedRequest()
        made.prepare_headers(said["headers"])
        made.prepare_body(said["data"], said["files"])
        if said["auth"]:
            made.prepare_auth(said["auth"])
        body = made.body.encode() if isinstance(made.body, str) else bytes(made.body or b"")
        self.check_size(body)
        headers = {name: value for name, value in made.headers.items() if name != "Content-Length"}
        return HttpRequest(said["url"], body, headers)

    def check_size(self, body: bytes) -> None:
        if len(body) > self.most_bytes:
            raise UntranslatableError(f"It has {len(body)} bytes; {self.name} takes {self.most_bytes}.")

    def parse_refusal(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        return [self._refusal(response)] * len(messages)

    def error(self, response: HttpResponse) -> tuple[str, str]:
        """The code for `kinds`, or an empty string, and the words of an error answer. Raises for a body of another kind."""
        return "", ""

    def outcome(self, code: str, response: HttpResponse, *, detail: str = "") -> Outcome:
        """With the rate limit's own header where Retry-After is missing."""
        found = super().outcome(code, response, detail=detail)
        if found.kind != OutcomeKind.THROTTLED or found.retry_after is not None:
            return found
        return structs.replace(found, retry_after=until_reset(response.headers.get("x-ratelimit-reset"), clock.now()))

    def ask(
        self, account: Account, path: str, headers: Mapping[str, str], deadline: Deadline
    ) -> HttpResponse | Outcome:
        """A GET below the API's URL, once: its answer, or what stands in the way of one."""
        answer = exchange(account, HttpRequest(self.api_url(account) + path, b"", headers, "GET"), deadline)
        if isinstance(answer, Fault):
            return Outcome(FAULT_KINDS[answer.code], answer.code, answer.detail[:500])
        return answer if answer.is_success else self._refused(answer)

    def _refusal(self, response: HttpResponse) -> Outcome:
        """What it says about somebody's address is not kept."""
        code, said = self.error(response)
        found = self.outcome(code or str(response.status), response)
        return found if found.kind in PERSONAL else structs.replace(found, detail=unnamed(said)[:500])

    def _refused(self, answer: HttpResponse) -> Outcome:
        try:
            return self._refusal(answer)
        except ValueError:
            return self.outcome(str(answer.status), answer)


def quiet(kind: type[AnymailRequestsBackend], **options: Any) -> AnymailRequestsBackend:
    """A backend without anymail's word that it does not test against the provider any more. To be called while a module is
    imported: no other thread shall see the filter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnymailWarning)
        return kind(**options)


def unnamed(text: str) -> str:
    """Without addresses, on one line."""
    return " ".join(_ADDRESS.sub("<address>", text).split())


def until_reset(value: str | None, now: datetime) -> float | None:
    """A header that names the moment when a limit is lifted (seconds or milliseconds since 1970), as seconds from now, 1 to 3600."""
    text = (value or "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 13:
        return None
    moment = int(text) / (1000 if int(text) > _MILLISECONDS_FROM else 1)
    return min(max(moment - now.timestamp(), SHORTEST_WAIT), LONGEST_WAIT)


def is_fresh(timestamp: str, now: datetime) -> bool:
    """Whether a call signed then (seconds since 1970) may still be a provider's own repetition: not older than a day."""
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    return -NEWEST_CALL <= now.timestamp() - int(timestamp) <= OLDEST_CALL


def moment(seconds: float) -> datetime:
    """Raises ValueError, OverflowError or OSError for what is no time."""
    return datetime.fromtimestamp(seconds, UTC)
