"""Summaries rendered: by the event type's own template or the tenant's, else by plain words in the reader's language."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from apps.core import clock
from apps.core.enums import Channel
from apps.core.types import NotificationFacts, Rendered
from apps.dispatch.facts import Facts
from apps.dispatch.plain_digests import plain
from apps.dispatch.summaries import TEMPLATE
from apps.routing.digests import Digest, Item, digest_of, without
from apps.routing.facts import Person, Stage
from apps.routing.rules import muted, switched_off
from apps.templates import rendering
from apps.templates.excerpts import Excerpt, excerpt, excerpt_of
from apps.tenants import selectors as tenants

log = logging.getLogger(__name__)
Context = Mapping[str, Any]


def contents(n: NotificationFacts, facts: Facts, channel: Channel) -> list[rendering.Content]:
    """The templates that could say it, best first."""
    found = (facts.contents.get((n.tenant_id, key)) for key in (n.template_key, TEMPLATE) if key)
    return [content for content in found if content is not None and channel in content.channels]


def wanted(n: NotificationFacts, facts: Facts, person: Person, channel: Channel) -> Digest:
    """What it says now: without what was switched off or muted, and whom the recipient blocked, while it waited. Raises RenderError."""
    digest = digest_of(n.data)
    if digest is None:
        raise rendering.RenderError("no_template", "What it sums up was erased.")
    case = facts.case(n, channel, clock.now(), stage=Stage.GATE)
    off = set()
    for kind in digest.types:
        alone = structs.replace(case, wish=structs.replace(case.wish, event_type=kind, parts=(kind,)))
        if switched_off(alone) or muted(alone):
            off.add(kind)
    rest = without(digest, off, person.choices.blocked_actors)
    return rest if rest.total else digest


def context_of(digest: Digest, items: Sequence[tuple[Item, Excerpt]]) -> Context:
    """`digest` as templates know it."""
    return {
        "items": [
            {
                "title": said.title,
                "body": said.body,
                "url": said.url,
                "event_type": item.event_type,
                "data": dict(item.data),
                "actor_id": item.actor_id,
                "object_id": item.object_id,
                "at": item.at.isoformat(),
                "count": item.count,
            }
            for item, said in items
        ],
        "total": digest.total,
        "more": max(digest.total - sum(item.count for item, _ in items), 0),
        "actors": [actor.name for actor in digest.actors],
        "others": max(len(digest.actors) + digest.others - 1, 0),
        "object_id": digest.object_id,
        "frequency": digest.frequency,
        "since": digest.since.isoformat(),
    }


def told(
    n: NotificationFacts, digest: Digest, facts: Facts, channel: Channel, locales: Sequence[str], context: Context
) -> list[tuple[Item, Excerpt]]:
    """Each item as its own template says it; where that cannot be, the name of its event type."""
    return [(item, _excerpt(n, item, facts, channel, locales, context)) for item in digest.items]


def _excerpt(
    n: NotificationFacts, item: Item, facts: Facts, channel: Channel, locales: Sequence[str], context: Context
) -> Excerpt:
    if item.content:
        return excerpt_of(item.content)
    kind = facts.event_types.get((n.tenant_id, item.event_type))
    content = facts.contents.get((n.tenant_id, item.template_key or (kind.template_key if kind else "")))
    named = {"type": item.event_type, "object_id": item.object_id}
    found = (
        excerpt(content, channel=channel, locales=locales, context={**context, "data": item.data, "event": named})
        if content
        else None
    )
    return found or Excerpt(kind.name if kind else item.event_type, "", "")


def render_digest(
    n: NotificationFacts,
    facts: Facts,
    person: Person,
    channel: Channel,
    context: Context,
    past: rendering.Content | None = None,
) -> Rendered | Mapping[str, str]:
    """Rendered by a template, or a plain message for `rendering.render_inline`. A template that fails is passed over: what it stands
    for must not be lost with it. Raises RenderError where the summary itself was erased."""
    tenant, recipient = tenants.tenant_by_id(n.tenant_id), person.recipient
    if tenant is None or recipient is None:
        raise rendering.RenderError("no_template", "There is nobody to tell.")
    digest = wanted(n, facts, person, channel)
    locales = rendering.locale_chain(recipient.locale, tenant.locale)
    items = told(n, digest, facts, channel, locales, context)
    whole = {
        **context,
        "data": {},
        "event": {"type": n.event_type, "object_id": digest.object_id},
        "digest": context_of(digest, items),
    }
    for content in [past] if past else contents(n, facts, channel):
        try:
            return rendering.render(content, channel=channel, locales=locales, context=whole)
        except rendering.RenderError as error:
            log.warning(
                "a digest's template failed",
                extra={"tenant": tenant.slug, "code": error.code, "detail": error.detail, "line": error.line},
            )
    kind = facts.event_type(n)
    said = [(excerpt.title, item.count) for item, excerpt in items]
    return plain(whole["digest"], said, name=kind.name if kind else "", channel=channel, locales=locales)
