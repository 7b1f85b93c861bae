"""From a notification to what one provider gets."""

from datetime import datetime
from typing import Any

from apps.core import ids
from apps.core.enums import Channel
from apps.core.types import Account, Endpoint, NotificationFacts, OutboundMessage, Recipient, Rendered, Work
from apps.dispatch.facts import Facts
from apps.routing.facts import Person
from apps.templates import rendering
from apps.tenants import selectors as tenants


def render(n: NotificationFacts, facts: Facts, person: Person, channel: Channel) -> Rendered:
    """Raises RenderError."""
    if n.content:
        return rendering.render_inline(n.content, channel=channel)
    content = facts.content(n)
    tenant = tenants.tenant_by_id(n.tenant_id)
    if content is None or tenant is None or person.recipient is None:
        raise rendering.RenderError("no_template", "There is no published template.")
    locales = rendering.locale_chain(person.recipient.locale, tenant.locale)
    return rendering.render(content, channel=channel, locales=locales, context=_context(n, person.recipient))


def _context(n: NotificationFacts, recipient: Recipient) -> dict[str, Any]:
    tenant = tenants.tenant_by_id(n.tenant_id)
    assert tenant is not None
    person = {
        **recipient.attributes,
        "user_id": recipient.user_id,
        "locale": recipient.locale or tenant.locale,
        "timezone": recipient.timezone or tenant.timezone,
    }
    return {
        "recipient": person,
        "user": person,
        "data": n.data,
        "tenant": {"name": tenant.name, "slug": tenant.slug},
        "event": {"type": n.event_type},
        "vars": {},
    }


def outbound(
    work: Work,
    n: NotificationFacts,
    rendered: Rendered,
    endpoint: Endpoint | None,
    account: Account | None,
    reference: str,
    now: datetime,
) -> OutboundMessage:
    tenant = tenants.tenant_by_id(n.tenant_id)
    assert tenant is not None and work.channel is not None
    sender = account.sender if account and account.sender else ""
    if not sender and work.channel == Channel.EMAIL:
        sender = tenant.email_from
    return OutboundMessage(
        reference=reference,
        delivery=ids.show(ids.DELIVERY, work.id),
        tenant=tenant.slug,
        channel=work.channel,
        category=n.category,
        address=endpoint.address if endpoint else "",
        platform=endpoint.carried_as if endpoint else "",
        sender=sender,
        content=rendered.content,
        expires_at=n.expires_at,
        ttl=max(1, int((n.expires_at - now).total_seconds())) if n.expires_at else None,
    )
