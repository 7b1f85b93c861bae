"""Acme and its templates, in the database."""

from collections.abc import Mapping
from typing import Any

from apps.core.enums import Channel
from apps.core.types import Tenant
from apps.templates import services
from apps.templates.parsed import forget_kept
from apps.templates.proving import Source, sample_context
from apps.templates.rendering import locale_chain, published, render
from apps.templates.selectors import forget_known
from apps.tenants.services import create_tenant


def tenant(slug: str = "acme") -> Tenant:
    forget_kept()
    forget_known()
    return create_tenant(slug=slug, name=slug.title())


def sms(body: str, locale: str = "") -> Source:
    return Source(Channel.SMS, locale, {"body": body})


def email(html: str, locale: str = "") -> Source:
    return Source(Channel.EMAIL, locale, {"subject": "Order", "html": html})


def outer(html: str) -> Source:
    """A layout's variant."""
    return Source(Channel.EMAIL, "", {"html": html})


def draft(acme: Tenant, key: str, *variants: Source, **options: Any) -> int:
    return services.save_draft(tenant=acme, key=key, name=key.title(), variants=variants, **options).number


def publish(acme: Tenant, key: str, *variants: Source, **options: Any) -> int:
    draft(acme, key, *variants, **options)
    return services.publish(tenant=acme, key=key, by="mira")


def said(
    acme: Tenant, key: str, channel: Channel = Channel.SMS, data: Mapping[str, Any] | None = None
) -> Mapping[str, str]:
    """What would be sent now."""
    content = published([(acme.id, key)])[acme.id, key]
    context = sample_context(acme, data or {}, "en")
    return render(content, channel=channel, locales=locale_chain("en", "en"), context=context).content
