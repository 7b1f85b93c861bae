"""The languages of these pages, and which one a person gets: what they ask for, their own, their browser's, the tenant's."""

from collections.abc import Iterable, Mapping

from django.utils.translation.trans_real import parse_accept_lang_header

LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch", "ar": "العربية"}
DEFAULT = "en"


def chosen(*, asked: str, own: str, accepted: str, tenants: str) -> str:
    """`own`, `tenants`: locales like `de-CH`; `accepted`: an Accept-Language header."""
    for tag in _tags(asked, own, accepted, tenants):
        language = tag.lower().partition("-")[0]
        if language in LANGUAGES:
            return language
    return DEFAULT


def _tags(asked: str, own: str, accepted: str, tenants: str) -> Iterable[str]:
    yield asked
    yield own
    for tag, quality in parse_accept_lang_header(accepted[:500]):
        if quality > 0:
            yield tag
    yield tenants
