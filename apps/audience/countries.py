"""Which country's rules hold for a person: pure, from what is known already. The tables are those of the IANA time zone database."""

from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files

import phonenumbers

from apps.core.locales import canonical_locale


def country_of(*, timezone: str = "", phones: Iterable[str] = (), locale: str = "") -> str:
    """ISO 3166-1; empty where nothing tells. `phones`: E.164, the newest first; `locale`: BCP 47.

    The time zone first: it says where the person is, and it is the clock that quiet hours go by. Then the number, which people take
    along when they move, and last the region of the language, which is often only what a device came with.
    """
    if timezone and (found := _of_zone(timezone)):
        return found
    for phone in phones:
        if found := _of_phone(phone):
            return found
    return _of_locale(locale) if locale else ""


def _of_zone(name: str) -> str:
    """`Europe/Oslo` is Norway and `Asia/Calcutta` India, though both are links; `UTC` and `Etc/GMT+5` are nowhere."""
    countries, links = _zones()
    return countries.get(name) or countries.get(links.get(name, ""), "")


@lru_cache(maxsize=10_000)
def _of_phone(number: str) -> str:
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return ""
    # +800, +882: of no country
    return region if region and region.isalpha() else ""


@lru_cache(maxsize=1_000)
def _of_locale(tag: str) -> str:
    region = (canonical_locale(tag) or "").rpartition("-")[2]
    return region if len(region) == 2 and region.isupper() else ""


@cache
def zones_by_country() -> dict[str, tuple[str, ...]]:
    """Every name of a zone that tells a country, links included: what `country_of` says of a zone, the other way round."""
    countries, links = _zones()
    found: dict[str, list[str]] = {}
    for name in sorted({*countries, *links}):
        if country := _of_zone(name):
            found.setdefault(country, []).append(name)
    return {country: tuple(names) for country, names in found.items()}


@cache
def _zones() -> tuple[dict[str, str], dict[str, str]]:
    """Country by zone (zone.tab), and what a zone's other names stand for (the lines `L target name` of tzdata.zi)."""
    database = files("tzdata").joinpath("zoneinfo")
    rows = [line.split("\t") for line in _lines(database.joinpath("zone.tab").read_text())]
    countries = {row[2]: row[0] for row in rows}
    links = [line.split() for line in _lines(database.joinpath("tzdata.zi").read_text()) if line.startswith("L ")]
    return countries, {name: target for _, target, name in links}


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]
