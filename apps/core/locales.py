"""Locales (BCP 47) and time zones (IANA): what is one, and how it is written."""

import re
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale

_TAG = re.compile(r"([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|\d{3}))?(?:-[a-z0-9]{1,8})*", re.IGNORECASE | re.ASCII)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})


def is_timezone(name: str) -> bool:
    """`Europe/Berlin`, `UTC`; not `CEST`, not `+02:00`."""
    return name in _zones()


def timezone_names() -> list[str]:
    """All of them, sorted."""
    return sorted(_zones())


@lru_cache(maxsize=2_048)
def zone(*names: str) -> ZoneInfo:
    """The first of them that there is, else UTC: what is stored was a time zone once, and may be none any more."""
    for name in names:
        try:
            return ZoneInfo(name)
        # a name may also be a directory, a path, too long, or no name at all
        except (KeyError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")


@cache
def _names() -> Locale:
    return Locale("en")


def canonical_locale(tag: str) -> str | None:
    """`de-ch` -> `de-CH`, `zh-hant-tw` -> `zh-Hant-TW`; None when CLDR has no name for its language, script or region.

    Variants and extensions (`de-u-co-phonebk`) are left out: nothing here depends on them. RFC 5646 section 2.1.1 (case).
    """
    found = _TAG.fullmatch(tag) if len(tag) <= 35 else None
    if found is None:
        return None
    language, script, region = found[1].lower(), (found[2] or "").title(), (found[3] or "").upper()
    is_known = (
        language in _names().languages
        and (not script or script in _names().scripts)
        and (not region or region in _names().territories)
    )
    return "-".join(part for part in (language, script, region) if part) if is_known else None


def is_country(code: str) -> bool:
    """ISO 3166-1, two letters in upper case, as CLDR names them."""
    return len(code) == 2 and code.isalpha() and code.isupper() and code in _names().territories and code != "ZZ"
