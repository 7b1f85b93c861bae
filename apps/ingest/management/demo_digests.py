"""What Demo Rides sums up: likes of one post, and whatever people want in a digest. English (the default) and German."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from apps.core.enums import Channel, GroupBy
from apps.core.types import Grouping
from apps.ingest.management.demo_mail import title, words
from apps.templates.services import Source

DIGEST = "digest"
LIKES = "post_liked_digest"
GROUPINGS: Mapping[str, Grouping] = {"post.liked": Grouping(GroupBy.OBJECT, timedelta(minutes=10), 100, leads=True)}
DIGEST_TEMPLATES: Mapping[str, str] = {"post.liked": LIKES}


@dataclass(frozen=True)
class DemoDigest:
    """A template of summaries."""

    template_key: str
    name: str
    variants: tuple[Source, ...]


def _who(and_one: str, and_others: str, likes: str) -> str:
    return (
        "{{ digest.actors | first }}{% if digest.others == 1 %} " + and_one + "{% elsif digest.others > 1 %} "
        + and_others + "{% endif %} " + likes
    )  # fmt: skip


_ENGLISH = _who("and 1 other", "and {{ digest.others }} others", "liked your post")
_GERMAN = _who("und 1 weiteren Person", "und {{ digest.others }} weiteren", "gefällt dein Beitrag")
_TITLE_OF_POST = "{% for item in digest.items limit: 1 %}{{ item.data.post_title | default: '' }}{% endfor %}"
_LINK = "{% for item in digest.items limit: 1 %}{{ item.url }}{% endfor %}"
_LINES = "{% for item in digest.items reversed limit: 20 %}<p>{{ item.title }}</p>{% endfor %}"


def _likes(locale: str, headline: str, look: str) -> tuple[Source, ...]:
    said: dict[str, Any] = {"title": headline, "body": _TITLE_OF_POST.replace("''", f"'{look}'"), "action_url": _LINK}
    return Source(Channel.PUSH, locale, said), Source(Channel.IN_APP, locale, {**said, "icon": "heart"})


def _digest(locale: str, headline: str, hello: str, more: str) -> tuple[Source, ...]:
    left = "{% if digest.more > 0 %}" + words(more) + "{% endif %}"
    mail = {"subject": headline, "preheader": hello, "html": title(headline) + words(hello) + _LINES + left}
    short = {
        "title": headline,
        "body": "{% for item in digest.items reversed limit: 3 %}{{ item.title }}\n{% endfor %}",
    }
    return (
        Source(Channel.EMAIL, locale, mail),
        Source(Channel.PUSH, locale, short),
        Source(Channel.IN_APP, locale, {**short, "icon": "inbox"}),
    )


ALL = (
    DemoDigest(
        LIKES,
        "Likes of a post",
        (*_likes("", _ENGLISH, "Have a look"), *_likes("de", _GERMAN, "Sieh nach")),
    ),
    DemoDigest(
        DIGEST,
        "Digest",
        (
            *_digest("", "{{ digest.total }} things to know", "Since we last wrote:", "And {{ digest.more }} more."),
            *_digest("de", "{{ digest.total }} Neuigkeiten", "Seit unserer letzten Nachricht:", "Und {{ digest.more }} weitere."),
        ),
    ),
)  # fmt: skip
