"""From a notification to what one provider gets."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import structs

from apps.core import ids
from apps.core.enums import Channel
from apps.core.types import Account, Endpoint, NotificationFacts, OutboundMessage, Recipient, Rendered, Tenant, Work
from apps.dispatch.digests import render_digest
from apps.dispatch.facts import Facts
from apps.dispatch.letter_links import Links, one_click, with_footer
from apps.dispatch.tracking import with_tokens
from apps.inbox import selectors as inbox
from apps.routing.facts import Person
from apps.templates import rendering
from apps.templates.content import UNREAD
from apps.tenants import selectors as tenants


def render(
    n: NotificationFacts,
    facts: Facts,
    person: Person,
    channel: Channel,
    delivery_id: UUID,
    past: rendering.Content | None = None,
) -> Rendered:
    """`past`: the content that a summary was sent with. Raises RenderError."""
    if not n.is_summary:
        return render_content(n, facts.content(n), person, channel, delivery_id)
    tenant = tenants.tenant_by_id(n.tenant_id)
    if person.recipient is None or tenant is None:
        raise rendering.RenderError("no_template", "There is nobody to tell.")
    context = _context(n, tenant, person.recipient, Links(n, delivery_id, channel))
    said = render_digest(n, facts, person, channel, context, past)
    if isinstance(said, Rendered):
        return said
    return render_content(structs.replace(n, content=said), None, person, channel, delivery_id)


def render_content(
    n: NotificationFacts, content: rendering.Content | None, person: Person, channel: Channel, delivery_id: UUID
) -> Rendered:
    """Of a content of one's own choice. Raises RenderError."""
    tenant, recipient, links = tenants.tenant_by_id(n.tenant_id), person.recipient, Links(n, delivery_id, channel)
    if n.is_test_send:
        return rendering.as_rendered(n.content, links)
    if n.content:
        rendered = rendering.render_inline(n.content, channel=channel)
        if channel != Channel.EMAIL or n.is_verification:
            # who has an address that is not verified may be somebody else, and gets no key to the person's settings
            return rendered
        locale = (recipient.locale if recipient else "") or (tenant.locale if tenant else "")
        return with_footer(rendered, links, category=n.category, locale=locale)
    if content is None or tenant is None or recipient is None:
        raise rendering.RenderError("no_template", "There is no published template.")
    locales = rendering.locale_chain(recipient.locale, tenant.locale)
    return rendering.render(content, channel=channel, locales=locales, context=_context(n, tenant, recipient, links))


def _context(n: NotificationFacts, tenant: Tenant, recipient: Recipient, links: Links) -> dict[str, Any]:
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
        "event": {"type": n.event_type, "object_id": n.object_id},
        "vars": links,
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
        content=with_tokens(
            {**rendered.content, **one_click(n, work.id, work.channel)},
            tenant=tenant,
            channel=work.channel,
            category=n.category,
            delivery_id=work.id,
        ),
        expires_at=n.expires_at,
        ttl=max(1, int((n.expires_at - now).total_seconds())) if n.expires_at else None,
    )


def with_badges(messages: Sequence[tuple[UUID, OutboundMessage]]) -> list[OutboundMessage]:
    """(recipient id, message), in order. Who asks for `unread` as badge gets the number of unread in-app messages: one query for
    all, none when nobody asks."""
    counts = inbox.unread_counts({id_ for id_, message in messages if message.content.get("badge") == UNREAD})
    return [
        structs.replace(message, content={**message.content, "badge": str(counts[id_])})
        if message.content.get("badge") == UNREAD
        else message
        for id_, message in messages
    ]
