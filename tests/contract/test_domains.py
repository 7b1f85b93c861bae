"""The checks of a sender's domain against a name server on this machine."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from apps.channels import domains
from apps.channels.domains import Finding, Grade, check_account, check_domain, resolver_at
from apps.core.enums import Channel
from apps.core.types import Account
from tests.contract.conformance import ACCOUNT

Zone = dict[str, list[tuple[str, str]]]
KEY = "v=DKIM1; k=ed25519; p=a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
ACME: Zone = {
    "acme.test": [("TXT", '"v=spf1 include:relay.test " "-all"'), ("TXT", '"site-verification=1"')],
    "relay.test": [("TXT", '"v=spf1 ip4:192.0.2.0/24 -all"')],
    "s1._domainkey.acme.test": [("CNAME", "s1.dkim.relay.test.")],
    "s1.dkim.relay.test": [("TXT", f'"{KEY[:40]}" "{KEY[40:]}"')],
    "_dmarc.acme.test": [("TXT", '"v=DMARC1; p=reject"')],
    "xn--mller-kva.test": [("TXT", '"v=spf1 -all"')],
}


@contextmanager
def name_server(
    zone: Zone, *, rcode: dns.rcode.Rcode | None = None, is_silent: bool = False
) -> Iterator[tuple[dns.resolver.Resolver, list[str]]]:
    """A resolver that asks it, and the names that it was asked for."""
    asked: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                data, peer = door.recvfrom(4096)
                if not data:
                    return
                question = dns.message.from_wire(data)
                name = question.question[0].name.to_text(omit_final_dot=True)
                asked.append(name)
                if not is_silent:
                    door.sendto(_answer(question, name, zone, rcode).to_wire(), peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield resolver_at(*door.getsockname()), asked
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", door.getsockname())
            thread.join(5)


def _answer(question: dns.message.Message, name: str, zone: Zone, rcode: dns.rcode.Rcode | None) -> dns.message.Message:
    said = dns.message.make_response(question)
    said.flags |= dns.flags.RA
    said.set_rcode(rcode if rcode is not None else dns.rcode.NOERROR if name in zone else dns.rcode.NXDOMAIN)
    while name in zone and rcode is None:
        for kind in ("CNAME", "TXT"):
            if found := [text for one, text in zone[name] if one == kind]:
                said.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *found))
        name = next((text.rstrip(".") for kind, text in zone[name] if kind == "CNAME"), "")
    return said


def brief(found: list[Finding]) -> list[tuple[str, Grade, str]]:
    return [(one.check, one.grade, one.name) for one in found]


def account(provider: str = "smtp", sender: str = "Acme, Inc. <hello@acme.test>", **settings: object) -> Account:
    return Account(ACCOUNT, "acme", provider, Channel.EMAIL, "", sender, {}, settings=settings)


def test_it_finds_what_is_right() -> None:
    with name_server(ACME) as (resolver, asked):
        found = check_account(account(dkim_selectors=["s1"], spf_include="relay.test"), resolver)
    assert brief(found) == [
        ("spf", Grade.GOOD, "acme.test"),
        ("dkim", Grade.GOOD, "s1._domainkey.acme.test"),
        ("dmarc", Grade.GOOD, "_dmarc.acme.test"),
    ]
    assert asked == ["acme.test", "relay.test", "s1._domainkey.acme.test", "_dmarc.acme.test"]


def test_it_finds_what_is_missing() -> None:
    with name_server({}) as (resolver, _):
        found = check_domain("acme.test", selectors=["s1", "s2"], resolver=resolver)
    assert brief(found) == [
        ("spf", Grade.BROKEN, "acme.test"),
        ("dkim", Grade.BROKEN, "s1._domainkey.acme.test"),
        ("dkim", Grade.BROKEN, "s2._domainkey.acme.test"),
        ("dmarc", Grade.BROKEN, "_dmarc.acme.test"),
    ]
    assert all(one.fix for one in found)


def test_it_asks_for_a_selector_that_it_was_not_told() -> None:
    with name_server(ACME) as (resolver, _):
        found = check_account(account(), resolver)
    assert brief(found)[1] == ("dkim", Grade.UNKNOWN, "acme.test")
    assert "dkim_selectors" in found[1].fix


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (Grade.WEAK, "acme.test")),
        ({"spf_include": "relay.test"}, (Grade.GOOD, "acme.test")),
        ({"spf_include": "other.test"}, (Grade.BROKEN, "acme.test")),
        ({"return_path": "mail.acme.test"}, (Grade.BROKEN, "mail.acme.test")),
    ],
)
def test_it_asks_about_the_domain_of_the_envelope(settings: dict[str, object], expected: tuple[Grade, str]) -> None:
    """An API's envelope is the provider's own, unless a return path was set up."""
    with name_server(ACME) as (resolver, _):
        spf = check_account(account("ses", dkim_selectors="s1", **settings), resolver)[0]
    assert (spf.grade, spf.name) == expected


def test_it_reads_domains_of_all_alphabets() -> None:
    with name_server(ACME) as (resolver, asked):
        found = check_domain("Müller.test", resolver=resolver)
    assert brief(found)[0] == ("spf", Grade.GOOD, "xn--mller-kva.test")
    assert asked[0] == "xn--mller-kva.test"


def test_it_says_nothing_of_an_account_without_a_sender() -> None:
    with name_server(ACME) as (resolver, asked):
        assert check_account(account(sender=""), resolver) == []
    assert asked == []


def test_a_server_that_fails_is_no_verdict() -> None:
    with name_server(ACME, rcode=dns.rcode.SERVFAIL) as (resolver, _):
        found = check_domain("acme.test", selectors=["s1"], resolver=resolver)
    assert {one.grade for one in found} == {Grade.UNKNOWN}


def test_a_server_that_is_silent_is_no_verdict_and_takes_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domains, "PATIENCE", 0.3)
    with name_server(ACME, is_silent=True) as (resolver, _):
        started = monotonic()
        found = check_domain("acme.test", selectors=["s1"], resolver=resolver)
        took = monotonic() - started
    assert {one.grade for one in found} == {Grade.UNKNOWN}
    assert took < 2.0


def test_a_machine_without_name_servers_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> dns.resolver.Resolver:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(domains, "resolver_at", none)
    (finding,) = check_domain("acme.test")
    assert (finding.check, finding.grade) == ("dns", Grade.UNKNOWN)
    assert replace(finding, fix="").fix == ""
