"""What a message says about its reader's own pages: the links that templates may name, RFC 8058's, and a footer under inline mails.

Links are made when they are asked for: most messages name none.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from html import escape
from uuid import UUID

from django.utils.translation import get_language_bidi, gettext, override
from msgspec import structs

from apps.core.enums import Category, Channel
from apps.core.types import NotificationFacts, Rendered
from apps.preferences.links import settings_url, unsubscribe_url, view_url
from apps.templates.content import size_of

MARKETING = f"category:{Category.MARKETING}"
HEADER = "unsubscribe_url"
NAMES = ("preferences_url", "unsubscribe_url", "view_in_browser_url")


class Links(Mapping[str, str]):
    """`vars` of templates. `unsubscribe_url`: its page offers this kind of message and all that is marketing; critical messages have
    the settings page in its place, for nobody can unsubscribe from them."""

    def __init__(self, n: NotificationFacts, delivery_id: UUID, channel: Channel) -> None:
        self._n, self._delivery_id, self._channel = n, delivery_id, channel
        self._made: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = self._make(name)
        return found

    def _make(self, name: str) -> str:
        match name:
            case "preferences_url":
                return settings_url(self._n.recipient_id)
            case "unsubscribe_url" if self._n.category == Category.CRITICAL:
                return settings_url(self._n.recipient_id)
            case "unsubscribe_url":
                return unsubscribe_url(self._n.recipient_id, self._delivery_id, topic_of(self._n), self._channel)
            case "view_in_browser_url":
                return view_url(self._delivery_id)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


def topic_of(n: NotificationFacts) -> str:
    """What a link in it switches off: all marketing in marketing, else messages of its kind."""
    if n.category == Category.MARKETING or not n.event_type:
        return f"category:{n.category}"
    return n.event_type


def one_click(n: NotificationFacts, delivery_id: UUID, channel: Channel) -> Mapping[str, str]:
    """For channels/mail.py: marketing mails, and no others, can be unsubscribed from by one POST (RFC 8058)."""
    if channel != Channel.EMAIL or n.category != Category.MARKETING:
        return {}
    return {HEADER: unsubscribe_url(n.recipient_id, delivery_id, MARKETING, channel)}


def with_footer(rendered: Rendered, links: Links, *, category: Category, locale: str) -> Rendered:
    """Of a mail without a template, in the reader's language."""
    settings, unsubscribe, direction = _footer_words(locale or "en")
    lines = [(settings, links["preferences_url"])]
    if category == Category.MARKETING:
        lines.append((unsubscribe, links["unsubscribe_url"]))
    anchors = " &middot; ".join(f'<a href="{escape(url)}" style="color:#5a6a64">{escape(t)}</a>' for t, url in lines)
    html = f'<p dir="{direction}" style="margin:32px 0 0;font-size:13px;line-height:20px;color:#5a6a64">{anchors}</p>'
    text = "\n".join(f"{words}: {url}" for words, url in lines)
    content = {
        **rendered.content,
        "html": rendered.content["html"] + html,
        "text": f"{rendered.content.get('text', '').rstrip()}\n\n-- \n{text}\n",
    }
    return structs.replace(rendered, content=content, size=size_of(content))


@lru_cache(256)
def _footer_words(locale: str) -> tuple[str, str, str]:
    with override(locale):
        return gettext("Choose what you get"), gettext("Unsubscribe"), "rtl" if get_language_bidi() else "ltr"
