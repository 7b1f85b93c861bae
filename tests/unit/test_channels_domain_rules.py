"""What is said about a domain's records, rule by rule, from records in a dictionary."""

from base64 import b64encode
from collections.abc import Callable, Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.channels.domain_rules import Finding, Grade, SilentError, dkim, dmarc, spf

GOOD, WEAK, BROKEN = Grade.GOOD, Grade.WEAK, Grade.BROKEN


def texts(found: Mapping[str, list[str] | str]) -> Callable[[str], list[str]]:
    def ask(name: str) -> list[str]:
        value = found.get(name, [])
        return [value] if isinstance(value, str) else value

    return ask


def silent(name: str) -> list[str]:
    raise SilentError(name)


def brief(finding: Finding) -> tuple[Grade, str]:
    assert bool(finding.fix) == (finding.grade != GOOD)
    return finding.grade, finding.fact


def public(bits: int) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    return b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


STRONG, MIDDLING = public(2048), public(1024)
CURVE = b64encode(
    ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


@pytest.mark.parametrize(
    ("record", "include", "expected"),
    [
        (
            "v=spf1 include:amazonses.com -all",
            "amazonses.com",
            (GOOD, "It says who may send, and that nobody else may."),
        ),
        (
            "V=SPF1 Include:AmazonSES.com ~All",
            "amazonses.com",
            (GOOD, "It says who may send, and that nobody else may."),
        ),
        ("v=spf1 redirect=_spf.acme.test", "", (GOOD, "It says who may send, and that nobody else may.")),
        ("v=spf1 include:other.test -all", "amazonses.com", (BROKEN, "It does not let amazonses.com send.")),
        ("v=spf1 include:nested.test -all", "amazonses.com", (GOOD, "It says who may send, and that nobody else may.")),
        (
            "v=spf1 include:amazonses.com +all",
            "amazonses.com",
            (BROKEN, "It lets the whole world send in your name (+all)."),
        ),
        ("v=spf1 include:amazonses.com all", "", (BROKEN, "It lets the whole world send in your name (+all).")),
        ("v=spf1 include:amazonses.com ?all", "", (WEAK, "It does not say what to think of others.")),
        ("v=spf1 include:amazonses.com", "", (WEAK, "It does not say what to think of others.")),
        ("v=spf10 -all", "", (BROKEN, "There is no SPF record.")),
        ("google-site-verification=x", "", (BROKEN, "There is no SPF record.")),
        ([], "", (BROKEN, "There is no SPF record.")),
        (["v=spf1 -all", "v=spf1 ~all"], "", (BROKEN, "There are 2 SPF records: receivers ignore them all.")),
        (["x", "v=spf1 -all"], "", (GOOD, "It says who may send, and that nobody else may.")),
        (
            f"v=spf1 {' '.join(f'a:{n}.test' for n in range(10))} -all",
            "",
            (GOOD, "It says who may send, and that nobody else may."),
        ),
        (
            f"v=spf1 {' '.join(f'a:{n}.test' for n in range(11))} -all",
            "",
            (BROKEN, "It takes 11 look-ups, and receivers stop after 10."),
        ),
        ("v=spf1 include:loop.test -all", "", (GOOD, "It says who may send, and that nobody else may.")),
        (
            "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all",
            "",
            (GOOD, "It says who may send, and that nobody else may."),
        ),
    ],
)
def test_spf(record: list[str] | str, include: str, expected: tuple[Grade, str]) -> None:
    records = texts(
        {
            "acme.test": record,
            "nested.test": "v=spf1 include:amazonses.com ~all",
            "amazonses.com": "v=spf1 ip4:192.0.2.0/24 -all",
            "loop.test": "v=spf1 include:loop.test include:acme.test -all",
        }
    )
    finding = spf(records, "acme.test", include)
    assert (finding.check, finding.name) == ("spf", "acme.test")
    assert brief(finding) == expected


def test_spf_counts_what_is_included_as_receivers_do() -> None:
    inner = " ".join(f"a:{n}.test" for n in range(9))
    records = texts({"acme.test": "v=spf1 include:inner.test mx -all", "inner.test": f"v=spf1 {inner} -all"})
    assert brief(spf(records, "acme.test")) == (BROKEN, "It takes 11 look-ups, and receivers stop after 10.")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (f"v=DKIM1; k=rsa; p={STRONG}", (GOOD, "The key is there and strong enough.")),
        (f"p={STRONG}", (GOOD, "The key is there and strong enough.")),
        (f"v=DKIM1; k=rsa; p={STRONG[:100]} {STRONG[100:]};", (GOOD, "The key is there and strong enough.")),
        (f"v=DKIM1; k=ed25519; p={b64encode(b'k' * 32).decode()}", (GOOD, "The key is there and strong enough.")),
        (f"v=DKIM1; k=rsa; p={MIDDLING}", (WEAK, "An RSA key of 1024 bits.")),
        (f"v=DKIM1; t=y:s; p={STRONG}", (WEAK, "The record says that you are testing (t=y).")),
        ("v=DKIM1; p=", (BROKEN, "The key was revoked (p is empty).")),
        (f"v=DKIM2; p={STRONG}", (BROKEN, "Its version is DKIM2, not DKIM1.")),
        (f"v=DKIM1; p={STRONG[:-20]}", (BROKEN, "The key cannot be read.")),
        (f"v=DKIM1; p={CURVE}", (BROKEN, "The key cannot be read.")),
        (f"v=DKIM1; k=dsa; p={STRONG}", (BROKEN, "The key cannot be read.")),
        (f"v=DKIM1; k=ed25519; p={STRONG}", (BROKEN, "The key cannot be read.")),
        ("v=DKIM1; p=%%%", (BROKEN, "The key cannot be read.")),
        ("hello", (BROKEN, "There is no DKIM key.")),
        ([], (BROKEN, "There is no DKIM key.")),
        ([f"p={STRONG}", f"p={MIDDLING}"], (BROKEN, "There are 2 keys under one selector.")),
    ],
)
def test_dkim(record: list[str] | str, expected: tuple[Grade, str]) -> None:
    finding = dkim(texts({"s1._domainkey.acme.test": record}), "s1._domainkey.acme.test")
    assert (finding.check, finding.name) == ("dkim", "s1._domainkey.acme.test")
    assert brief(finding) == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=DMARC1; p=reject; rua=mailto:d@acme.test", (GOOD, "Receivers are told to reject what is not yours.")),
        ("v=DMARC1;p=quarantine", (GOOD, "Receivers are told to quarantine what is not yours.")),
        ("v=DMARC1; p=none", (WEAK, "Receivers are told to let everything through (p=none).")),
        ("v=DMARC1; rua=mailto:d@acme.test", (BROKEN, "It has no policy that receivers know.")),
        ("v=DMARC1; p=maybe", (BROKEN, "It has no policy that receivers know.")),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], (BROKEN, "There are 2 DMARC records: receivers ignore them all.")),
        ("v=spf1 -all", (BROKEN, "There is no DMARC record.")),
        ("v=DMARC10; p=none", (BROKEN, "There is no DMARC record.")),
        ([], (BROKEN, "There is no DMARC record.")),
    ],
)
def test_dmarc(record: list[str] | str, expected: tuple[Grade, str]) -> None:
    finding = dmarc(texts({"_dmarc.acme.test": record}), "acme.test")
    assert (finding.check, finding.name) == ("dmarc", "_dmarc.acme.test")
    assert brief(finding) == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=DMARC1; p=none; sp=reject", "Receivers are told to reject what is not yours."),
        ("v=DMARC1; p=quarantine", "Receivers are told to quarantine what is not yours."),
    ],
)
def test_dmarc_of_a_domain_above(record: str, expected: str) -> None:
    finding = dmarc(texts({"_dmarc.acme.test": record, "_dmarc.test": "v=DMARC1; p=none"}), "mail.shop.acme.test")
    assert (finding.name, finding.fact) == ("_dmarc.acme.test", expected)


def test_silence_is_no_verdict() -> None:
    for look in (
        lambda: spf(silent, "acme.test"),
        lambda: dkim(silent, "s._domainkey.acme.test"),
        lambda: dmarc(silent, "acme.test"),
    ):
        with pytest.raises(SilentError):
            look()
