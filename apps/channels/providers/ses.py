"""Email over Amazon SES, API v2: SendEmail with the whole mail. https://docs.aws.amazon.com/ses/latest/APIReference-V2/

Credentials: `access_key_id`, `secret_access_key`, `session_token` (of temporary ones). Settings: `region` (required);
`configuration_set`, which must publish its events to an SNS topic; `topic_arns`, the topics whose calls are believed.
`base_url`: another endpoint than the region's, FIPS say. `sender`: Name <address>, a verified identity.
Receipts: let the topic call our door over HTTPS; the subscription is confirmed by itself. SES writes a Message-ID of its own.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec
from anymail.backends.amazon_ses import EmailBackend
from email_validator import EmailNotValidError, validate_email

from apps.channels import aws, mail, ses_events, sns
from apps.channels.base import HttpRequest, HttpResponse, Messages, NotSentError, Provider, UntranslatableError
from apps.channels.deadlines import Deadline
from apps.channels.transport import Fault, exchange
from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome, ProviderCall, Receipt

SERVICE = "sesv2"
# bytes of the mail in base64, as SES counts them
MOST = 40 * 1024 * 1024
SECOND, QUARTER_OF_AN_HOUR = 1.0, 900.0
# what the message says weighs more than the code: (words in it, kind, seconds to wait)
WORDS: tuple[tuple[str, OutcomeKind, float | None], ...] = (
    ("not verified", OutcomeKind.MISCONFIGURED, None),
    ("daily message quota exceeded", OutcomeKind.THROTTLED, QUARTER_OF_AN_HOUR),
    ("maximum sending rate exceeded", OutcomeKind.THROTTLED, SECOND),
)
# SES sends no Retry-After
WAITS: Mapping[str, float] = {
    "TooManyRequestsException": SECOND,
    "ThrottlingException": SECOND,
    "Throttling": SECOND,
    "LimitExceededException": QUARTER_OF_AN_HOUR,
}
# refusals that may speak of the address; believed only if ours agrees
_ADDRESS_WORDS = ("address", "domain")


class _Accepted(msgspec.Struct):
    MessageId: Annotated[str, msgspec.Meta(min_length=1)]


class _Quota(msgspec.Struct, frozen=True):
    MaxSendRate: float = 0.0


class _AccountState(msgspec.Struct):
    SendingEnabled: bool = True
    ProductionAccessEnabled: bool = True
    EnforcementStatus: str = ""
    SendQuota: _Quota = _Quota()


class SesProvider(Provider):
    name = "ses"
    channels = frozenset({Channel.EMAIL})
    fan_out = 32
    has_receipts = True
    kinds: ClassVar[Mapping[str, OutcomeKind]] = {
        "TooManyRequestsException": OutcomeKind.THROTTLED,
        "ThrottlingException": OutcomeKind.THROTTLED,
        "Throttling": OutcomeKind.THROTTLED,
        "LimitExceededException": OutcomeKind.THROTTLED,
        "MessageRejected": OutcomeKind.REJECTED,
        "BadRequestException": OutcomeKind.REJECTED,
        "MailFromDomainNotVerifiedException": OutcomeKind.MISCONFIGURED,
        "NotFoundException": OutcomeKind.MISCONFIGURED,
        "SendingPausedException": OutcomeKind.MISCONFIGURED,
        "AccountSuspendedException": OutcomeKind.MISCONFIGURED,
        "AccessDenied": OutcomeKind.MISCONFIGURED,
        "AccessDeniedException": OutcomeKind.MISCONFIGURED,
        "UnrecognizedClientException": OutcomeKind.MISCONFIGURED,
        "InvalidClientTokenId": OutcomeKind.MISCONFIGURED,
        "InvalidSignatureException": OutcomeKind.MISCONFIGURED,
        "SignatureDoesNotMatch": OutcomeKind.MISCONFIGURED,
        "IncompleteSignature": OutcomeKind.MISCONFIGURED,
        "IncompleteSignatureException": OutcomeKind.MISCONFIGURED,
        "MissingAuthenticationToken": OutcomeKind.MISCONFIGURED,
        "MissingAuthenticationTokenException": OutcomeKind.MISCONFIGURED,
        "ExpiredToken": OutcomeKind.MISCONFIGURED,
        "ExpiredTokenException": OutcomeKind.MISCONFIGURED,
        "RequestExpired": OutcomeKind.MISCONFIGURED,
        "NotAuthorized": OutcomeKind.MISCONFIGURED,
        "OptInRequired": OutcomeKind.MISCONFIGURED,
        "InternalFailure": OutcomeKind.PROVIDER_DOWN,
        "InternalServiceErrorException": OutcomeKind.PROVIDER_DOWN,
        "ServiceUnavailable": OutcomeKind.PROVIDER_DOWN,
        "ServiceUnavailableException": OutcomeKind.PROVIDER_DOWN,
    }
    statuses: ClassVar[Mapping[int, OutcomeKind]] = {
        404: OutcomeKind.MISCONFIGURED,
        500: OutcomeKind.PROVIDER_DOWN,
        501: OutcomeKind.PROVIDER_DOWN,
    }

    def build(self, account: Account, messages: Messages) -> HttpRequest:
        (message,) = messages
        return aws.operation(account, SERVICE, "SendEmail", _parameters(account, message))

    def authorize(self, account: Account, request: HttpRequest, deadline: Deadline) -> HttpRequest:
        return aws.signed(account, SERVICE, request)

    def parse(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        said = msgspec.json.decode(response.body, type=_Accepted)
        return [Outcome(OutcomeKind.ACCEPTED, provider_message_id=said.MessageId)]

    def parse_refusal(self, messages: Messages, response: HttpResponse) -> list[Outcome]:
        (message,) = messages
        outcome = self._refusal(response)
        if outcome.kind == OutcomeKind.REJECTED and _is_no_address(message.address, response):
            return [Outcome(OutcomeKind.INVALID_ADDRESS, outcome.code)]
        return [outcome]

    def verify(self, account: Account, call: ProviderCall, now: datetime) -> bool:
        return sns.is_signed(account, call, now)

    def acknowledge(self, account: Account, call: ProviderCall, deadline: Deadline) -> None:
        sns.confirm(account, call, deadline)

    def parse_receipts(self, account: Account, call: ProviderCall) -> list[Receipt]:
        note = sns.read(call.body)
        return ses_events.receipts(note) if note.is_notification else []

    def check_credentials(self, account: Account, deadline: Deadline) -> Outcome | None:
        """By GetAccount; None for keys that may not ask."""
        answer = self._account(account, deadline)
        if isinstance(answer, Outcome):
            return None if answer.code in {"AccessDenied", "AccessDeniedException"} else answer
        if not answer.SendingEnabled or answer.EnforcementStatus == "SHUTDOWN":
            return Outcome(OutcomeKind.MISCONFIGURED, "sending_paused", "Amazon has paused sending for this account.")
        if not answer.ProductionAccessEnabled:
            detail = "The account is in SES's sandbox: it reaches verified addresses only. Ask for production access."
            return Outcome(OutcomeKind.MISCONFIGURED, "ses_sandbox", detail)
        return Outcome(OutcomeKind.ACCEPTED, detail=f"{answer.SendQuota.MaxSendRate:g} messages a second")

    def reported_rate(self, account: Account, deadline: Deadline) -> float | None:
        answer = self._account(account, deadline)
        return None if isinstance(answer, Outcome) else answer.SendQuota.MaxSendRate or None

    def _account(self, account: Account, deadline: Deadline) -> _AccountState | Outcome:
        try:
            request = aws.signed(account, SERVICE, aws.operation(account, SERVICE, "GetAccount", {}))
        except NotSentError as error:
            return error.outcome
        answer = exchange(account, request, deadline)
        if isinstance(answer, Fault):
            return Outcome(OutcomeKind.PROVIDER_DOWN, answer.code, answer.detail)
        if not answer.is_success:
            return self._refusal(answer)
        try:
            return msgspec.json.decode(answer.body, type=_AccountState)
        except (ValueError, msgspec.MsgspecError):
            return Outcome(OutcomeKind.PROVIDER_DOWN, "answer_unreadable")

    def _refusal(self, response: HttpResponse) -> Outcome:
        """By words, then by code, then by status. What SES said is not kept: it names addresses."""
        body = _object(response.body)
        code = aws.error_of(response.headers, body) or str(response.status)
        outcome = self.outcome(code, response)
        said = _said(body)
        found = next(((kind, wait) for words, kind, wait in WORDS if words in said), (outcome.kind, WAITS.get(code)))
        kind, wait = found
        return Outcome(kind, outcome.code, retry_after=outcome.retry_after or wait)


def _parameters(account: Account, message: OutboundMessage) -> Mapping[str, Any]:
    """SendEmail's, by django-anymail."""
    letter = mail.letter(account, message)
    letter.esp_extra = {"EmailTags": [{"Name": ses_events.TAG, "Value": message.reference}]}  # type: ignore[attr-defined]
    backend = EmailBackend(configuration_set_name=account.settings.get("configuration_set") or None)
    payload = backend.build_message_payload(letter, {})
    payload.finalize_payload()
    parameters: Mapping[str, Any] = payload.params
    if len(parameters["Content"]["Raw"]["Data"]) * 4 / 3 > MOST:
        raise UntranslatableError("The mail is larger than the 40 MB that SES takes.")
    return parameters


def _is_no_address(address: str, response: HttpResponse) -> bool:
    if not any(word in _said(_object(response.body)) for word in _ADDRESS_WORDS):
        return False
    try:
        validate_email(address, check_deliverability=False, allow_smtputf8=False, strict=True, test_environment=True)
    except EmailNotValidError:
        return True
    return False


def _said(body: Mapping[str, Any]) -> str:
    return str(body.get("message") or body.get("Message") or "").lower()


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (ValueError, msgspec.MsgspecError):
        return {}
    return found if isinstance(found, dict) else {}
