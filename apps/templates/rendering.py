"""The hot path: published content, parsed once per process, rendered once per delivery.

content = published([(tenant.id, "order_shipped_v3")])[tenant.id, "order_shipped_v3"]
context = context_of(tenant=tenant, recipient=recipient, event_type="order.shipped", data=data)   # once per notification
rendered = render(content, channel=Channel.SMS, locales=locale_chain(recipient.locale, tenant.locale), context=context)
"""

import re
from collections.abc import Mapping, Sequence
from html import escape, unescape
from types import MappingProxyType
from typing import Any

import msgspec
from markupsafe import Markup

from apps.core.enums import Channel
from apps.core.types import Recipient, Rendered, Tenant
from apps.templates import engine, sms
from apps.templates.content import FIELDS, MOST_PUSH_BYTES, MOST_SMS_SEGMENTS, Field, cleaned, size_of
from apps.templates.faults import Fault, RenderError
from apps.templates.filters import is_safe_link
from apps.templates.locales import locale_chain
from apps.templates.mail_build import PREHEADER
from apps.templates.parsed import Content, Part, Variant, published, versions

__all__ = [
    "EXAMPLE_LINKS",
    "Content",
    "RenderError",
    "as_rendered",
    "context_of",
    "locale_chain",
    "published",
    "render",
    "render_inline",
    "versions",
]

EXAMPLE_LINKS: Mapping[str, str] = MappingProxyType(
    {
        "preferences_url": "https://example.test/preferences",
        "unsubscribe_url": "https://example.test/unsubscribe",
        "view_in_browser_url": "https://example.test/view",
    }
)
"""`vars` of what is sent to nobody."""
_ENTITY = re.compile(r"&(?:#0*(?:123|37)|#[xX]0*(?:7[bB]|25)|lbrace|lcub|percnt);?")
_SHORT_SMS = 67 * MOST_SMS_SEGMENTS // 2
_HIDDEN = (
    '<div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;mso-hide:all">'
    "{}" + "&#8199;&#65279;&#847; " * 24 + "</div>"
)


def context_of(
    *,
    tenant: Tenant,
    recipient: Recipient,
    event_type: str,
    data: Mapping[str, Any],
    variables: Mapping[str, str] = MappingProxyType({}),
    object_id: str = "",
) -> dict[str, object]:
    """The names a template knows: `recipient` (also `user`), `data`, `tenant`, `event`, `vars`. Plain values only: anything else
    in `data` or the attributes becomes plain (a datetime its ISO 8601 text) or raises TypeError."""
    person = msgspec.to_builtins(dict(recipient.attributes), str_keys=True) | {
        "user_id": recipient.user_id,
        "locale": recipient.locale or tenant.locale,
        "timezone": recipient.timezone or tenant.timezone,
    }
    return {
        "recipient": person,
        "user": person,
        "data": msgspec.to_builtins(dict(data), str_keys=True),
        "tenant": {"name": tenant.name, "slug": tenant.slug},
        "event": {"type": event_type, "object_id": object_id},
        "vars": dict(variables),
    }


def render(
    content: Content,
    *,
    channel: Channel,
    locales: Sequence[str],
    context: Mapping[str, object],
    is_proof: bool = False,
) -> Rendered:
    """What leaves on `channel`, in the first of `locales` that has it. Raises RenderError.

    `is_proof` (publish, preview): what would be cut off or joined at send is an error.
    """
    version = content.version
    variant = version.variant(channel, locales)
    if variant is None:
        raise RenderError(Fault.NO_TEMPLATE, f"There is no content for {channel}.")
    fields: dict[str, str] = {}
    for part in variant.parts:
        text = _fit(part.field, _run(part, variant, context), is_proof=is_proof)
        refuse_braces(part.field, text, context)
        if text:
            fields[part.field.name] = text
    if channel is Channel.EMAIL:
        _finish_email(content, fields, locales, context)
    _refuse_too_long(channel, fields)
    return Rendered(fields, variant.locale, version.id, version.number, size_of(fields), parts_of(channel, fields))


def render_inline(message: Mapping[str, str], *, channel: Channel) -> Rendered:
    """A caller's own `{title, body}`, taken word for word: braces in it are text. Raises RenderError.

    Email: subject is the title, html the body's paragraphs, escaped. SMS: the body alone; a title is a headline of the channels
    that have one, and would be paid for again in each text. No title: the body's first line stands in. No body: the title.
    """
    body = message.get("body", "") or message.get("title", "")
    title = message.get("title", "") or body.strip().partition("\n")[0][:78]
    given = {**message, "title": title, "body": body, "subject": title, "text": body, "html": _paragraphs(body)}
    fields: dict[str, str] = {}
    for field in FIELDS[channel].values():
        text = cleaned(field, given.get(field.name, ""))
        _refuse_unfit(field, text)
        if text:
            fields[field.name] = text
    _refuse_too_long(channel, fields)
    return Rendered(fields, "", None, 0, size_of(fields), parts_of(channel, fields))


def parts_of(channel: Channel, fields: Mapping[str, str]) -> int:
    return sms.count(fields["body"]).segments if channel is Channel.SMS else 1


def as_rendered(content: Mapping[str, str], links: Mapping[str, str]) -> Rendered:
    """What a preview rendered, with real links in the place of EXAMPLE_LINKS."""
    fields = {}
    for name, text in content.items():
        for link, example in EXAMPLE_LINKS.items():
            text = text.replace(example, links[link]) if example in text else text
        fields[name] = text
    return Rendered(fields, "", None, 0, size_of(fields))


def _run(part: Part, variant: Variant, context: Mapping[str, object]) -> str:
    if isinstance(part.template, str):
        return part.template
    try:
        text = engine.run(part.template, context)
    except RenderError as error:
        raise variant.located(error, part.field) from error
    return text


def refuse_braces(field: Field, text: str, context: Mapping[str, object]) -> None:
    """As it leaves, without its control characters; a browser shows entities of HTML as what they stand for."""
    if field.is_html and _ENTITY.search(text):
        text = _ENTITY.sub(lambda found: unescape(found[0]), text)
    # one character is found a hundred times as fast as two
    if "{" in text and any(mark in text and not _holds(context, mark) for mark in ("{{", "{%")):
        raise RenderError(Fault.BRACES, "Braces of the template itself would reach the reader.", field=field.name)


def _fit(field: Field, text: str, *, is_proof: bool) -> str:
    fit = cleaned(field, text)
    if is_proof and field.is_single_line and len(text.strip().splitlines()) > 1:
        raise RenderError(Fault.TOO_LONG, "This must be a single line.", field=field.name)
    if is_proof and field.most_rendered is not None and len(text.strip()) > field.most_rendered:
        raise RenderError(Fault.TOO_LONG, f"This is longer than {field.most_rendered} characters.", field=field.name)
    _refuse_unfit(field, fit)
    return fit


def _refuse_unfit(field: Field, text: str) -> None:
    if field.is_required and not text.strip():
        raise RenderError(Fault.EMPTY, f"`{field.name}` is empty.", field=field.name)
    if field.form and text and not field.form[0].fullmatch(text):
        raise RenderError(Fault.WRONG_VALUE, f"`{field.name}` must be {field.form[1]}.", field=field.name)
    if field.is_link and not is_safe_link(text):
        raise RenderError(Fault.UNSAFE_LINK, f"`{field.name}` has a scheme that runs code.", field=field.name)


def _finish_email(
    content: Content, fields: dict[str, str], locales: Sequence[str], context: Mapping[str, object]
) -> None:
    """The layout's current version around it, and the preheader where the document's body begins."""
    if content.layout is not None:
        variant = content.layout.variant(Channel.EMAIL, locales)
        if variant is None:
            raise RenderError(Fault.LAYOUT, "The layout has no content for this locale.", field="html")
        around: dict[str, object] = {**context, "preheader": fields.get("preheader", "")}
        for part in variant.parts:
            name = part.field.name
            inner = fields.get(name, "")
            text = _run(part, variant, {**around, "content": Markup(inner) if part.field.is_html else inner})
            fields[name] = cleaned(part.field, text)
            refuse_braces(part.field, fields[name], around)
    preheader = fields.get("preheader", "")
    hidden = _HIDDEN.format(escape(preheader)) if preheader else ""
    fields["html"] = fields["html"].replace(PREHEADER, hidden, 1)


def _refuse_too_long(channel: Channel, fields: Mapping[str, str]) -> None:
    if channel is Channel.SMS and len(fields["body"]) > _SHORT_SMS:
        segments = sms.count(fields["body"]).segments
        if segments > MOST_SMS_SEGMENTS:
            said = f"This takes {segments} SMS segments; {MOST_SMS_SEGMENTS} are the most."
            raise RenderError(Fault.TOO_LONG, said, field="body")
    if channel is Channel.PUSH and (size := len(msgspec.json.encode(fields))) > MOST_PUSH_BYTES:
        said = f"The push payload has {size} bytes; {MOST_PUSH_BYTES} are the most."
        raise RenderError(Fault.TOO_LONG, said, field="body")


def _paragraphs(body: str) -> str:
    blocks = [block for block in body.replace("\r\n", "\n").split("\n\n") if block.strip()]
    return "".join(f"<p>{escape(block.strip()).replace(chr(10), '<br>')}</p>" for block in blocks)


def _holds(value: object, mark: str) -> bool:
    """Whether data itself has these braces: a person may be called `{{`."""
    match value:
        case str():
            return mark in value
        case Mapping():
            return any(_holds(item, mark) for item in value.values())
        case list() | tuple():
            return any(_holds(item, mark) for item in value)
    return False
