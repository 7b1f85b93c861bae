"""The letter of every email provider: one OutboundMessage as Django's EmailMultiAlternatives, for exactly one recipient.

Whatever posts it (SMTP, or an API through django-anymail), the headers are the same, and no value can add a header or a reader.
"""

import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.headerregistry import Address

from django.core.mail import EmailMultiAlternatives
from django.utils.encoding import punycode

from apps.channels.base import UntranslatableError
from apps.core.types import Account, OutboundMessage
from apps.templates.content import single_line

REFERENCE_HEADER = "X-Notifier-Reference"
_NO_DOMAIN = re.compile(r"[\s\x00-\x1f\x7f,;:<>()\[\]\\\"@]")


def letter(account: Account, message: OutboundMessage) -> EmailMultiAlternatives:
    """Content: `subject`, `text`, `html`, `unsubscribe_url`. Raises UntranslatableError for what no mail can say."""
    sender = sender_of(account, message)
    to = _address(message.address, "The address")
    mail = EmailMultiAlternatives(
        subject=_one_line(message.content.get("subject", ""), "The subject"),
        body=message.content.get("text", ""),
        from_email=str(sender),
        to=[to.addr_spec],
        headers=dict(_headers(message, punycode(sender.domain))),
    )
    if html := message.content.get("html"):
        mail.attach_alternative(html, "text/html")
    return mail


def sender_of(account: Account, message: OutboundMessage) -> Address:
    """`Name <address>` or an address; the name may have commas, colons and quotes. Raises UntranslatableError."""
    said = _one_line(message.sender or account.sender, "The sender").strip()
    name, mark, rest = said.rpartition("<")
    address = _address(rest.removesuffix(">") if mark else said, "The sender")
    name = single_line(name)
    if name[:1] == name[-1:] == '"' and len(name) > 1:
        name = name[1:-1].replace(r"\"", '"').replace(r"\\", "\\")
    return Address(name, address.username, address.domain)


def message_id(mail: EmailMultiAlternatives) -> str:
    """With its angle brackets."""
    return str(mail.extra_headers["Message-ID"])


def _headers(message: OutboundMessage, domain: str) -> Iterator[tuple[str, str]]:
    """The Message-ID stays the same over all attempts, so that a receiver can tell a repetition (RFC 5322 section 3.6.4).
    The unsubscribe headers are RFC 8058's, section 3.1."""
    yield "Message-ID", f"<{message.delivery}@{domain}>"
    yield REFERENCE_HEADER, message.reference
    if url := _one_line(message.content.get("unsubscribe_url", ""), "The unsubscribe link"):
        yield "List-Unsubscribe", f"<{url}>"
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"


def _address(text: str, what: str) -> Address:
    """One bare address. Its local part is ASCII: no provider here takes SMTPUTF8 (RFC 6531)."""
    local, _, domain = text.rpartition("@")
    if not local.isascii():
        raise UntranslatableError(f"{what} has letters before the @ that providers do not take.")
    try:
        # Address would parse a whole addr_spec with non-ASCII domains wrongly (python/cpython#81074)
        found = Address(addr_spec=f"{local}@x")
    except (HeaderParseError, ValueError, IndexError):
        found = Address()
    address = Address(username=found.username, domain=domain)
    if not found.username or not domain or address.addr_spec != text or _NO_DOMAIN.search(domain):
        raise UntranslatableError(f"{what} is not exactly one email address.")
    return address


def _one_line(text: str, what: str) -> str:
    if "\r" in text or "\n" in text:
        raise UntranslatableError(f"{what} has a line break.")
    return text
