"""Email over any SMTP relay. Accepted means that the relay took it: no receipts, no proof of arrival.

`base_url`: smtp://host:587 (STARTTLS; `"security": "none"` in the settings leaves it out) or smtps://host:465 (TLS at once).
Credentials: `username`, `password`, or none. Settings: `helo`, the name to greet with; by default the sender's domain.
"""

import re
import smtplib
import socket
import ssl
from collections.abc import Mapping
from time import monotonic
from typing import ClassVar
from urllib.parse import urlsplit

from django.utils.encoding import punycode

from apps.channels import mail
from apps.channels.base import Messages, Provider, UntranslatableError
from apps.channels.deadlines import Deadline
from apps.channels.smtp_line import SmtpBackend
from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome

PORTS = {"smtp": 587, "smtps": 465}
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_ADDRESS = re.compile(r"[^\s<>]+@[^\s<>]+")

# reply codes that decide by themselves (RFC 4954 section 6)
FIRST_KINDS: Mapping[int, OutcomeKind] = {
    454: OutcomeKind.THROTTLED,
    530: OutcomeKind.MISCONFIGURED,
    534: OutcomeKind.MISCONFIGURED,
    535: OutcomeKind.MISCONFIGURED,
    538: OutcomeKind.MISCONFIGURED,
}
# enhanced status codes (RFC 3463; 5.1.10: RFC 7505)
ENHANCED_KINDS: Mapping[str, OutcomeKind] = {
    "5.1.1": OutcomeKind.INVALID_ADDRESS,
    "5.1.2": OutcomeKind.INVALID_ADDRESS,
    "5.1.3": OutcomeKind.INVALID_ADDRESS,
    "5.1.6": OutcomeKind.INVALID_ADDRESS,
    "5.1.7": OutcomeKind.MISCONFIGURED,
    "5.1.8": OutcomeKind.MISCONFIGURED,
    "5.1.10": OutcomeKind.INVALID_ADDRESS,
    "5.2.1": OutcomeKind.INVALID_ADDRESS,
    "5.2.2": OutcomeKind.TRANSIENT,
    "5.3.4": OutcomeKind.REJECTED,
    "5.7.8": OutcomeKind.MISCONFIGURED,
}
# reply codes without a known enhanced one (RFC 5321 section 4.2.3); a bare 550 may be policy: the address is left alone
REPLY_KINDS: Mapping[int, OutcomeKind] = {551: OutcomeKind.INVALID_ADDRESS, 552: OutcomeKind.TRANSIENT}
FAMILY_KINDS: Mapping[int, OutcomeKind] = {4: OutcomeKind.TRANSIENT, 5: OutcomeKind.REJECTED}
_UNOPENED: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPServerDisconnected, "connection_dropped"),
    (ssl.SSLError, "tls"),
    (socket.gaierror, "dns"),
    (TimeoutError, "connect_timeout"),
)


class SmtpProvider(Provider):
    name = "smtp"
    channels = frozenset({Channel.EMAIL})
    max_batch: ClassVar[int] = 100

    def call(self, account: Account, messages: Messages, deadline: Deadline) -> list[Outcome]:
        """One connection for all messages, one recipient each. What is left when the connection breaks was not sent."""
        started = monotonic()
        try:
            backend = _backend(account, messages, deadline)
        except ValueError:
            return [_outcome(OutcomeKind.MISCONFIGURED, "bad_url", started)] * len(messages)
        try:
            backend.open()
            return [_send(backend, account, message, started) for message in messages]
        except (OSError, smtplib.SMTPException) as error:
            return [_unopened(error, started)] * len(messages)
        finally:
            backend.hang_up()


def _backend(account: Account, messages: Messages, deadline: Deadline) -> SmtpBackend:
    """Raises ValueError for a base_url that says neither."""
    url = urlsplit(account.base_url)
    if url.scheme not in PORTS or not url.hostname:
        raise ValueError(account.base_url)
    is_plain = account.settings.get("security") == "none"
    return SmtpBackend(
        deadline=deadline,
        ca_bundle=account.ca_bundle,
        helo=str(account.settings.get("helo") or _greeting(account, messages[0])),
        host=url.hostname,
        port=url.port or PORTS[url.scheme],
        username=account.credentials.get("username", ""),
        password=account.credentials.get("password", ""),
        use_ssl=url.scheme == "smtps",
        use_tls=url.scheme == "smtp" and not is_plain,
    )


def _send(backend: SmtpBackend, account: Account, message: OutboundMessage, started: float) -> Outcome:
    backend.begin_message()
    try:
        letter = mail.letter(account, message)
        backend.send_messages([letter])
    except UntranslatableError as error:
        return Outcome(OutcomeKind.REJECTED, "untranslatable", str(error))
    except ValueError as error:
        # Django's words may name the address
        return Outcome(OutcomeKind.REJECTED, "untranslatable", type(error).__name__)
    except smtplib.SMTPRecipientsRefused as error:
        ((code, text),) = error.recipients.values()
        return _refused(code, text, started)
    except smtplib.SMTPSenderRefused as error:
        return _sender_refused(error, started)
    except smtplib.SMTPResponseException as error:
        return _refused(error.smtp_code, error.smtp_error, started, is_sent=backend.is_content_sent)
    except (OSError, smtplib.SMTPException):
        if backend.is_content_sent:
            return _outcome(OutcomeKind.AMBIGUOUS, "connection_dropped", started)
        return _outcome(OutcomeKind.PROVIDER_DOWN, "write_failed", started)
    return Outcome(
        OutcomeKind.ACCEPTED,
        provider_message_id=mail.message_id(letter),
        exchange={"status": 250, "ms": _ms(started), "code": ""},
    )


def _greeting(account: Account, message: OutboundMessage) -> str:
    try:
        return punycode(mail.sender_of(account, message).domain)
    except UntranslatableError:
        return "localhost"


def _unopened(error: Exception, started: float) -> Outcome:
    """Nothing was sent. Only what the server says about our credentials or lack of TLS is ours to mend."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return _refused(error.smtp_code, error.smtp_error, started, family=OutcomeKind.MISCONFIGURED)
        case smtplib.SMTPNotSupportedError():
            return _outcome(OutcomeKind.MISCONFIGURED, "not_supported", started, detail=str(error))
        case smtplib.SMTPResponseException():
            return _outcome(OutcomeKind.PROVIDER_DOWN, str(error.smtp_code), started)
        case _:
            code = next((code for kind, code in _UNOPENED if isinstance(error, kind)), "connect_refused")
            return _outcome(OutcomeKind.PROVIDER_DOWN, code, started, detail=type(error).__name__)


def _sender_refused(error: smtplib.SMTPSenderRefused, started: float) -> Outcome:
    """MAIL FROM speaks of our sender, or of the size; never of the recipient."""
    outcome = _refused(error.smtp_code, error.smtp_error, started)
    is_size = error.smtp_code == 552 or outcome.code.endswith("5.3.4")
    if is_size:
        return _outcome(OutcomeKind.REJECTED, outcome.code, started, detail=outcome.detail)
    if outcome.kind in {OutcomeKind.REJECTED, OutcomeKind.INVALID_ADDRESS}:
        return _outcome(OutcomeKind.MISCONFIGURED, outcome.code, started, detail=outcome.detail)
    return outcome


def _refused(
    code: int, text: bytes | str, started: float, *, is_sent: bool = False, family: OutcomeKind | None = None
) -> Outcome:
    """By the tables. A reply that is none leaves a message in doubt whose content was sent."""
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    found = _ENHANCED.match(said)
    enhanced = found.group(1) if found else ""
    unread = OutcomeKind.AMBIGUOUS if is_sent else OutcomeKind.TRANSIENT
    kind = (
        FIRST_KINDS.get(code)
        or ENHANCED_KINDS.get(enhanced)
        or (family if code >= 500 else None)
        or (REPLY_KINDS.get(code) if not enhanced else None)
        or FAMILY_KINDS.get(code // 100, unread)
    )
    return _outcome(kind, f"{code} {enhanced}".strip(), started, detail=_ADDRESS.sub("<address>", said), status=code)


def _outcome(kind: OutcomeKind, code: str, started: float, *, detail: str = "", status: int = 0) -> Outcome:
    return Outcome(kind, code[:64], detail[:500], exchange={"status": status, "ms": _ms(started), "code": code[:64]})


def _ms(started: float) -> int:
    return round((monotonic() - started) * 1000)
