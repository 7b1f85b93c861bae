"""Which people would get another language than theirs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from apps.templates.locales import locale_chain


@dataclass(frozen=True, slots=True)
class Fallback:
    """`people` of `locale` get the variant `gets`; "" is the default one, None: they get nothing."""

    locale: str
    people: int
    gets: str | None

    @property
    def text(self) -> str:
        who = "1 recipient" if self.people == 1 else f"{self.people:,} recipients"
        gets = "nothing" if self.gets is None else self.gets or "the default"
        return f"{self.locale} missing: {who} will get {gets}"


def fallbacks(variants: Collection[str], people: Mapping[str, int], tenant_locale: str) -> list[Fallback]:
    """`variants`: locales that there is content in; `people`: how many have which locale. The most people first. A variant of the
    language (`de` for `de-CH`) is no fallback; people without a locale have the tenant's, and none is missing for them."""
    found: dict[tuple[str, str | None], int] = {}
    for locale, number in people.items():
        if not locale:
            continue
        gets = next((name for name in locale_chain(locale, tenant_locale) if name in variants), None)
        language = locale.partition("-")[0]
        # the default stands for the tenant's own language, unless that has a variant too
        own = gets or (tenant_locale if gets == "" and not _speaks(variants, tenant_locale) else "")
        if own.partition("-")[0] != language or gets is None:
            found[language, gets] = found.get((language, gets), 0) + number
    rows = [Fallback(locale, number, gets) for (locale, gets), number in found.items()]
    return sorted(rows, key=lambda row: (-row.people, row.locale))


def _speaks(variants: Collection[str], locale: str) -> bool:
    language = locale.partition("-")[0]
    return any(variant.partition("-")[0] == language for variant in variants if variant)
