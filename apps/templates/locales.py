"""Which locales to try, in order."""

from functools import lru_cache

from apps.core.locales import canonical_locale


@lru_cache(maxsize=10_000)
def locale_chain(recipient_locale: str, tenant_locale: str) -> tuple[str, ...]:
    """`de-CH`, `en` -> `("de-CH", "de", "en", "")`: the last is the default variant. What is no locale is left out."""
    return tuple(dict.fromkeys((*_parents(recipient_locale), *_parents(tenant_locale), "")))


def _parents(tag: str) -> list[str]:
    """`zh-Hant-TW` -> zh-Hant-TW, zh-Hant, zh."""
    parts = (canonical_locale(tag.replace("_", "-")) or "").split("-")
    return ["-".join(parts[:length]) for length in range(len(parts), 0, -1) if parts[0]]
