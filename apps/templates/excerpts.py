"""What a message says in short: its headline, a line or two and its link, without building the whole of it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from apps.core.enums import Channel
from apps.templates import engine
from apps.templates.content import cleaned
from apps.templates.faults import RenderError
from apps.templates.parsed import Content, Part
from apps.templates.rendering import refuse_braces

_TITLES, _BODIES, _URLS = ("title", "subject"), ("body", "preheader"), ("action_url",)
_INSTEAD = (Channel.IN_APP, Channel.PUSH, Channel.EMAIL, Channel.SMS)


class Excerpt(NamedTuple):
    """Plain text."""

    title: str
    body: str
    url: str


def excerpt(
    content: Content, *, channel: Channel, locales: Sequence[str], context: Mapping[str, object]
) -> Excerpt | None:
    """Of what the template says on `channel`, else on another one. None where it cannot be rendered."""
    for place in (channel, *_INSTEAD):
        variant = content.version.variant(place, locales)
        if variant is None:
            continue
        try:
            said = {
                part.field.name: _run(part, context)
                for part in variant.parts
                if part.field.name in (*_TITLES, *_BODIES, *_URLS)
            }
        except RenderError:
            return None
        return excerpt_of(said)
    return None


def excerpt_of(said: Mapping[str, str]) -> Excerpt:
    """Of a message's fields; without a headline its text is one."""
    title, body = _first(said, _TITLES), _first(said, _BODIES)
    return Excerpt(title or body, body if title else "", _first(said, _URLS))


def _run(part: Part, context: Mapping[str, object]) -> str:
    text = part.template if isinstance(part.template, str) else engine.run(part.template, context)
    said = cleaned(part.field, text).strip()
    refuse_braces(part.field, said, context)
    return said


def _first(said: Mapping[str, str], names: Sequence[str]) -> str:
    return next((said[name] for name in names if said.get(name)), "")
