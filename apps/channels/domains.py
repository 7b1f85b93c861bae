"""Whether receivers can tell that mail from a domain is ours, asked of the DNS. The rules are in domain_rules.py.

Account settings: `dkim_selectors`, a list or one; `spf_include`, what the provider wants to be included (amazonses.com, say);
`return_path`, the domain of the envelope's sender where it is not that of `sender`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import dns.exception
import dns.resolver
from django.utils.encoding import punycode

from apps.channels.domain_rules import Finding, Grade, SilentError, dkim, dmarc, spf
from apps.core.types import Account

__all__ = ["Finding", "Grade", "check_account", "check_domain", "resolver_at"]
# seconds for each name
PATIENCE = 3.0
# the others have envelopes of their own, and SPF is asked about their domain
SENDS_AS_US = frozenset({"smtp"})
_FOREIGN = "The provider sends with an envelope of its own, so SPF says nothing about your domain: all rests on DKIM."
_ALIGN = (
    "Set up a return path (MAIL FROM) below your domain with the provider, and name it as return_path in the settings."
)
_NONE_THERE = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)


def check_account(account: Account, resolver: dns.resolver.Resolver | None = None) -> list[Finding]:
    """For the domain of its sender; nothing for an account without one."""
    selectors = account.settings.get("dkim_selectors") or ()
    include, return_path = (str(account.settings.get(name) or "") for name in ("spf_include", "return_path"))
    found = check_domain(
        account.sender.rpartition("@")[2].strip("> "),
        selectors=(selectors,) if isinstance(selectors, str) else tuple(selectors),
        include=include,
        return_path=return_path,
        resolver=resolver,
    )
    if account.provider in SENDS_AS_US or include or return_path:
        return found
    return [replace(one, grade=Grade.WEAK, fact=_FOREIGN, fix=_ALIGN) if one.check == "spf" else one for one in found]


def check_domain(
    domain: str,
    *,
    selectors: Sequence[str] = (),
    include: str = "",
    return_path: str = "",
    resolver: dns.resolver.Resolver | None = None,
) -> list[Finding]:
    """SPF, DKIM for each selector, DMARC, in that order."""
    if not domain:
        return []
    own, envelope = (punycode(one).lower().rstrip(".") for one in (domain, return_path or domain))
    try:
        texts = _asking(resolver or resolver_at())
    except dns.exception.DNSException:
        fix = "Name one in /etc/resolv.conf."
        return [Finding("dns", Grade.UNKNOWN, own, "This machine knows no name server.", fix)]
    checks: list[tuple[str, str, Callable[[], Finding]]] = [("spf", envelope, lambda: spf(texts, envelope, include))]
    for selector in selectors:
        name = f"{selector}._domainkey.{own}"
        checks.append(("dkim", name, lambda name=name: dkim(texts, name)))  # type: ignore[misc]
    checks.append(("dmarc", f"_dmarc.{own}", lambda: dmarc(texts, own)))
    found = [_found(*check) for check in checks]
    if not selectors:
        fix = "Set dkim_selectors in the account's settings to the selectors that the provider shows."
        found.insert(1, Finding("dkim", Grade.UNKNOWN, own, "Nobody said which selectors to look for.", fix))
    return found


def resolver_at(address: str = "", port: int = 53) -> dns.resolver.Resolver:
    """The name server at this address, or the system's own. Raises DNSException when it has none."""
    made = dns.resolver.Resolver(configure=not address)
    if address:
        made.nameservers, made.port = [address], port
    made.lifetime = made.timeout = PATIENCE
    return made


def _found(check: str, name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except SilentError as error:
        fix = "Try again; if it stays so, ask whoever runs the domain's name servers."
        return Finding(check, Grade.UNKNOWN, name, f"The DNS gave no answer about {error}.", fix)


def _asking(resolver: dns.resolver.Resolver) -> Callable[[str], Iterable[str]]:
    """The TXT records of a name, each in one piece; aliases are followed. Raises SilentError."""

    def texts(name: str) -> list[str]:
        try:
            answer = resolver.resolve(name, "TXT", search=False)
        except _NONE_THERE:
            return []
        except dns.exception.DNSException:
            raise SilentError(name) from None
        return [b"".join(record.strings).decode("ascii", "replace") for record in answer]

    return texts
