"""What a domain's records must say so that receivers believe its mail: SPF (RFC 7208), DKIM (RFC 6376, 8301, 8463), DMARC (RFC 7489).

`texts` gives the TXT records of a name and raises SilentError when the DNS does not answer.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

MOST_LOOK_UPS = 10
STRONG_BITS, WEAK_BITS = 2048, 1024
_TERM = re.compile(r"([+?~-]?)(include|a|mx|ptr|exists|redirect|all)(?:[:=/](.*))?", re.IGNORECASE)
_NESTED = frozenset({"include", "redirect"})
Texts = Callable[[str], Iterable[str]]


class Grade(StrEnum):
    GOOD = "good"
    WEAK = "weak"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `check`: spf, dkim, dmarc or dns; `name`: where in the DNS; `fix`: empty when it is good."""

    check: str
    grade: Grade
    name: str
    fact: str
    fix: str = ""


class SilentError(Exception):
    """The DNS gave no answer about this name."""


def spf(texts: Texts, name: str, include: str = "") -> Finding:
    """The domain of the envelope's sender, and whether it lets the provider's servers send."""

    def say(grade: Grade, fact: str, fix: str = "") -> Finding:
        return Finding("spf", grade, name, fact, fix)

    wanted = f"include:{include} " if include else "include:<what your provider names> "
    found = _spf_records(texts, name)
    if not found:
        return say(Grade.BROKEN, "There is no SPF record.", f'Add a TXT record: "v=spf1 {wanted}-all".')
    if len(found) > 1:
        return say(
            Grade.BROKEN, f"There are {len(found)} SPF records: receivers ignore them all.", "Join them into one."
        )
    seen: set[str] = set()
    count = _look_ups(texts, found[0], seen)
    if count > MOST_LOOK_UPS:
        fix = "Take out what you do not use any more, or name addresses with ip4: and ip6:."
        return say(Grade.BROKEN, f"It takes {count} look-ups, and receivers stop after {MOST_LOOK_UPS}.", fix)
    if include and include.lower() not in seen:
        return say(Grade.BROKEN, f"It does not let {include} send.", f"Add include:{include} to it.")
    match _ending(found[0]):
        case "-" | "~" | "redirect":
            return say(Grade.GOOD, "It says who may send, and that nobody else may.")
        case "+":
            return say(Grade.BROKEN, "It lets the whole world send in your name (+all).", "End it with -all.")
    return say(
        Grade.WEAK, "It does not say what to think of others.", "End it with -all, or ~all while you are not sure."
    )


def dkim(texts: Texts, name: str) -> Finding:
    """The key of a selector. A record of several strings or behind an alias is one."""

    def say(grade: Grade, fact: str, fix: str = "") -> Finding:
        return Finding("dkim", grade, name, fact, fix)

    renew = "Publish the record that the provider shows, whole."
    found = [record for record in texts(name) if "p" in _tags(record)]
    if not found:
        return say(Grade.BROKEN, "There is no DKIM key.", f"{renew} Is the selector right?")
    if len(found) > 1:
        return say(Grade.BROKEN, f"There are {len(found)} keys under one selector.", "Leave only the one in use.")
    tags = _tags(found[0])
    if tags.get("v", "DKIM1") != "DKIM1":
        return say(Grade.BROKEN, f"Its version is {tags['v'][:20]}, not DKIM1.", renew)
    if not tags["p"]:
        return say(
            Grade.BROKEN, "The key was revoked (p is empty).", "Publish the current key, or take the selector out."
        )
    bits = _bits(tags)
    if bits is None:
        return say(Grade.BROKEN, "The key cannot be read.", renew)
    if bits < WEAK_BITS:
        return say(Grade.BROKEN, f"An RSA key of {bits} bits: receivers ignore it.", f"Use {STRONG_BITS} bits.")
    if "y" in tags.get("t", "").split(":"):
        return say(Grade.WEAK, "The record says that you are testing (t=y).", "Take t=y out.")
    if bits < STRONG_BITS:
        return say(Grade.WEAK, f"An RSA key of {bits} bits.", f"Use {STRONG_BITS} bits.")
    return say(Grade.GOOD, "The key is there and strong enough.")


def dmarc(texts: Texts, domain: str) -> Finding:
    """The domain's own policy, else that of a domain above it."""
    labels = domain.split(".")
    for place in range(max(1, len(labels) - 1)):
        name = f"_dmarc.{'.'.join(labels[place:])}"
        found = [record for record in texts(name) if re.match(r"v\s*=\s*DMARC1\s*(;|$)", record)]
        if found:
            return _policy(name, found, is_above=place > 0)
    fix = 'Add a TXT record: "v=DMARC1; p=none; rua=mailto:<you>"; once the reports look right, p=quarantine.'
    return Finding("dmarc", Grade.BROKEN, f"_dmarc.{domain}", "There is no DMARC record.", fix)


def _policy(name: str, found: list[str], *, is_above: bool) -> Finding:
    def say(grade: Grade, fact: str, fix: str = "") -> Finding:
        return Finding("dmarc", grade, name, fact, fix)

    if len(found) > 1:
        return say(Grade.BROKEN, f"There are {len(found)} DMARC records: receivers ignore them all.", "Leave only one.")
    tags = _tags(found[0])
    policy = (tags.get("sp") if is_above else None) or tags.get("p", "")
    match policy.lower():
        case "quarantine" | "reject":
            return say(Grade.GOOD, f"Receivers are told to {policy.lower()} what is not yours.")
        case "none":
            return say(
                Grade.WEAK,
                "Receivers are told to let everything through (p=none).",
                "Once its reports look right: p=quarantine.",
            )
    return say(
        Grade.BROKEN, "It has no policy that receivers know.", "Add p=none, p=quarantine or p=reject after the version."
    )


def _spf_records(texts: Texts, name: str) -> list[str]:
    return [record for record in texts(name) if re.match(r"v=spf1( |$)", record, re.IGNORECASE)]


def _look_ups(texts: Texts, record: str, seen: set[str]) -> int:
    """How many a receiver needs, those of what is included as well; `seen` is filled with the names."""
    count = 0
    for _, word, value in _terms(record):
        count += word != "all"
        name = value.lower().rstrip(".")
        if word in _NESTED and name and "%" not in name and name not in seen and count <= MOST_LOOK_UPS:
            seen.add(name)
            count += sum(_look_ups(texts, inner, seen) for inner in _spf_records(texts, name)[:1])
    return count


def _ending(record: str) -> str:
    """The qualifier of `all`, or redirect, or nothing."""
    terms = list(_terms(record))
    ending = next((qualifier or "+" for qualifier, word, _ in terms if word == "all"), "")
    return ending or ("redirect" if any(word == "redirect" for _, word, _ in terms) else "")


def _terms(record: str) -> Iterable[tuple[str, str, str]]:
    for term in record.split()[1:]:
        if found := _TERM.fullmatch(term):
            qualifier, word, value = found.groups()
            yield qualifier, word.lower(), value or ""


def _tags(record: str) -> Mapping[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip(): "".join(value.split()) for name, mark, value in pairs if mark}


def _bits(tags: Mapping[str, str]) -> int | None:
    """The strength of the key, an Ed25519 one counted as strong; None for what is no key."""
    try:
        key = b64decode(tags["p"], validate=True)
        if tags.get("k", "rsa") == "ed25519":
            return STRONG_BITS if len(key) == 32 else None
        found = load_der_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return found.key_size if isinstance(found, RSAPublicKey) and tags.get("k", "rsa") == "rsa" else None
