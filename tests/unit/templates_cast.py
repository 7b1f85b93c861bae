"""Acme, Rosa, and a template of theirs, without a database."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.core.enums import Channel
from apps.core.types import Recipient, Rendered, Tenant
from apps.templates.parsed import Content, Version
from apps.templates.proving import Proof, Source, prove
from apps.templates.rendering import context_of, locale_chain, render

VERSION = UUID("01890000-0000-7000-8000-000000000001")
ACME = Tenant(
    id=UUID("01890000-0000-7000-8000-0000000000ac"),
    slug="acme",
    name="Acme",
    locale="en",
    timezone="Europe/London",
    email_from="Acme <hello@acme.example>",
    weight=1,
    rate_per_second=1,
    rate_burst=1,
    retention_days=90,
)
ROSA = Recipient(
    id=UUID("01890000-0000-7000-8000-0000000000a0"),
    tenant_id=ACME.id,
    user_id="rosa",
    locale="de-CH",
    timezone="Europe/Zurich",
    attributes={"first_name": "Rosa"},
    is_blocked=False,
)


def proof(*sources: Source, sample: Mapping[str, Any] | None = None, **options: Any) -> Proof:
    given: dict[str, Any] = {"layout": None, "is_layout": False} | options
    return prove(tenant=ACME, sources=sources, sample=sample or {}, version_id=VERSION, number=3, **given)


def layout(html: str, text: str = "") -> Version:
    source = Source(Channel.EMAIL, "", {"html": html, "text": text})
    proven = proof(source, is_layout=True)
    assert proven.errors == ()
    return Version(VERSION, 1, [(source.channel, source.locale, proven.compiled[0])], is_layout=True)


def content(*sources: Source, sample: Mapping[str, Any] | None = None, layout: Version | None = None) -> Content:
    """As published: proven, compiled."""
    proven = proof(*sources, sample=sample, layout=layout)
    assert proven.errors == ()
    rows = [(each.channel, each.locale, made) for each, made in zip(sources, proven.compiled, strict=True)]
    return Content(Version(VERSION, 3, rows), layout)


def rendered(what: Content, channel: Channel, data: Mapping[str, Any], recipient: Recipient = ROSA) -> Rendered:
    return render(
        what,
        channel=channel,
        locales=locale_chain(recipient.locale, ACME.locale),
        context=context_of(tenant=ACME, recipient=recipient, event_type="order.shipped", data=data),
    )


def sms(body: str, locale: str = "") -> Source:
    return Source(Channel.SMS, locale, {"body": body})


def email(html: str, locale: str = "", **fields: str) -> Source:
    return Source(Channel.EMAIL, locale, {"subject": "Order", "html": html, **fields})
