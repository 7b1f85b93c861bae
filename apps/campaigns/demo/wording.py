"""What Demo Rides writes to people: one offer in two wordings, a new app, a weekend pass, an SMS; each in five languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.core.enums import Channel
from apps.core.types import Tenant
from apps.ingest.management.demo_mail import button, figure, layout, leaving, title, words
from apps.templates.selectors import template_by_key
from apps.templates.services import Source, publish_changes

LAYOUT = "demo_offers_layout"
# the first one is the default as well: who speaks none of the others reads it
LANGUAGES = ("en", "de", "fr", "es", "ar")
_FROM_RIGHT = frozenset({"ar"})
_URL = "https://rides.example.com"
_FRAME = {
    "en": (
        "You get this because you ride with {{ tenant.name }}.",
        "Choose what you get",
        "No more offers",
        "Show in the browser",
    ),
    "de": (
        "Du bekommst das, weil du mit {{ tenant.name }} fährst.",
        "Was du bekommst",
        "Keine Angebote mehr",
        "Im Browser zeigen",
    ),
    "fr": (
        "Vous recevez ceci car vous roulez avec {{ tenant.name }}.",
        "Choisir ce que vous recevez",
        "Plus d'offres",
        "Voir dans le navigateur",
    ),
    "es": (
        "Recibes esto porque viajas con {{ tenant.name }}.",
        "Elige qué recibes",
        "No más ofertas",
        "Ver en el navegador",
    ),
    "ar": ("تصلك هذه الرسالة لأنك تتنقل مع {{ tenant.name }}.", "اختر ما يصلك", "إيقاف العروض", "عرض في المتصفح"),
}
_HELLO = {
    "en": "Hello {{ recipient.first_name | default: 'there' }},",
    "de": "Hallo{% if recipient.first_name %} {{ recipient.first_name }}{% endif %},",
    "fr": "Bonjour{% if recipient.first_name %} {{ recipient.first_name }}{% endif %},",
    "es": "Hola{% if recipient.first_name %} {{ recipient.first_name }}{% endif %}:",
    "ar": "مرحبًا{% if recipient.first_name %} {{ recipient.first_name }}{% endif %}،",
}


@dataclass(frozen=True, slots=True)
class Mail:
    """`big`: a figure and what it says."""

    subject: str
    preheader: str
    heading: str
    text: str
    big: tuple[str, str]
    action: str


@dataclass(frozen=True, slots=True)
class Wording:
    """Of one template, by language; `sms` and `push` (title, body) where it has them."""

    key: str
    name: str
    path: str = ""
    mails: Mapping[str, Mail] | None = None
    push: Mapping[str, tuple[str, str]] | None = None
    sms: Mapping[str, str] | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        made = []
        for language in LANGUAGES:
            locale = "" if language == LANGUAGES[0] else language
            if self.push:
                heading, body = self.push[language]
                made.append(Source(Channel.PUSH, locale, {"title": heading, "body": body}))
            if self.mails:
                made.append(Source(Channel.EMAIL, locale, _mail(language, self.mails[language], self.path)))
            if self.sms:
                made.append(Source(Channel.SMS, locale, {"body": self.sms[language]}))
        return tuple(made)


def _mail(language: str, mail: Mail, path: str) -> dict[str, Any]:
    _, _, stop, show = _FRAME[language]
    parts = (
        title(mail.heading),
        words(_HELLO[language]),
        words(mail.text),
        figure(*mail.big),
        button(f"{_URL}/{path}", mail.action),
        leaving(stop, show),
    )
    html = "".join(parts)
    if language in _FROM_RIGHT:
        # mail programs that show only the body do not see what the layout's <html> says
        html = f'<div dir="rtl" lang="{language}">{html}</div>\n'
    return {"subject": mail.subject, "preheader": mail.preheader, "html": html}


def publish_wordings(tenant: Tenant, wordings: tuple[Wording, ...], by: str) -> None:
    """Those that are there stay as they are, whatever they say by now."""
    if template_by_key(tenant, LAYOUT) is None:
        publish_changes(tenant=tenant, key=LAYOUT, name="Offers", variants=_layouts(), is_layout=True, by=by)
    for one in wordings:
        if template_by_key(tenant, one.key) is None:
            layout = LAYOUT if one.mails is not None else ""
            publish_changes(tenant=tenant, key=one.key, name=one.name, variants=one.sources, layout=layout, by=by)


def _layouts() -> tuple[Source, ...]:
    return tuple(_layout("" if language == LANGUAGES[0] else language, language) for language in LANGUAGES)


def _layout(locale: str, language: str) -> Source:
    why, choose, _, _ = _FRAME[language]
    text = f"{{{{ content }}}}\n\n-- \n{why}{{% if vars.preferences_url %}}\n{choose}: {{{{ vars.preferences_url }}}}{{% endif %}}"
    html = layout(lang=language, why=why, preferences=choose, direction="rtl" if language in _FROM_RIGHT else "ltr")
    return Source(Channel.EMAIL, locale, {"html": html, "text": text})
