"""The short way for addresses of the usual form: what it takes, the full validators take too, with the same result. All else is theirs.

A property test holds it to that (tests/unit/test_imports_plain_addresses.py).
"""

import re
from functools import cache, lru_cache
from typing import NamedTuple

import phonenumbers

from apps.audience.addresses import email_address, phone_number
from apps.core.problems import Problem


class Known(NamedTuple):
    """As apps.core.types.Address has them."""

    text: str
    hashed: str
    masked: str


_LOCAL = re.compile(r"[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*", re.ASCII)
# within these the masked form is short enough, too
_MOST_LOCAL, _MOST_DOMAIN = 64, 80
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)


def email(text: str) -> Known | Problem:
    local, _, domain = text.partition("@")
    if len(local) <= _MOST_LOCAL and _LOCAL.fullmatch(local) and (known := _domain(domain)):
        plain = f"{local}@{known[0]}"
        return Known(plain, plain.lower(), f"{local[0]}***@{known[1]}")
    try:
        found = email_address(text, "")
    except Problem as problem:
        return problem
    return Known(found.text, found.hashed, found.masked)


@lru_cache(maxsize=20_000)
def _domain(domain: str) -> tuple[str, str] | None:
    """As it is stored and as it is shown, by the full validator's word for any mailbox there."""
    if len(domain) > _MOST_DOMAIN or "@" in domain:
        return None
    try:
        found = email_address(f"a@{domain}", "")
    except Problem:
        return None
    return found.text[2:], found.masked.partition("@")[2]


def phone(text: str) -> Known | Problem:
    if _E164.fullmatch(text) and (code := _country_code(text)) and _is_plain(code, text[1 + len(code) :]):
        return Known(text, text, f"+{code}*****{text[-2:]}")
    try:
        found = phone_number(text, "")
    except Problem as problem:
        return problem
    return Known(found.text, found.hashed, found.masked)


def _country_code(text: str) -> str:
    """No calling code is the beginning of another one (ITU-T E.164)."""
    return next((code for size in (1, 2, 3) if (code := text[1 : 1 + size]) in _codes()), "")


@cache
def _codes() -> frozenset[str]:
    return frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


def _is_plain(code: str, national: str) -> bool:
    """Of a length that its country has, and without anything that the full parser might take for a prefix and cut off."""
    lengths, prefix = _rules(code)
    return len(national) in lengths and national[0] != "0" and not (prefix and prefix.match(national))


@cache
def _rules(code: str) -> tuple[frozenset[int], re.Pattern[str] | None]:
    region = phonenumbers.region_code_for_country_code(int(code))
    kept = phonenumbers.PhoneMetadata
    found = kept.metadata_for_nongeo_region(int(code)) if region == "001" else kept.metadata_for_region(region)
    if found is None or found.general_desc is None:
        return frozenset(), None
    prefix = found.national_prefix_for_parsing
    return frozenset(found.general_desc.possible_length), re.compile(prefix) if prefix else None
