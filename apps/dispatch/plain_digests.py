"""A summary in plain words, for tenants who have written none: a headline and a list. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from apps.core.enums import Channel


class Words(NamedTuple):
    """`{n}`: a number; `{name}`: somebody's."""

    one: str
    many: str
    others_one: str
    others_many: str
    more: str


WORDS = {
    "en": Words("1 new message", "{n} new messages", "{name} and 1 other", "{name} and {n} others", "and {n} more"),
    "de": Words("1 neue Nachricht", "{n} neue Nachrichten", "{name} und 1 weitere Person", "{name} und {n} weitere Personen",
                "und {n} weitere"),
    "ar": Words("رسالة جديدة واحدة", "رسائل جديدة: {n}", "{name} وشخص آخر", "{name} وآخرون ({n})", "وغيرها ({n})"),
}  # fmt: skip
LINES = {Channel.EMAIL: 50, Channel.IN_APP: 10, Channel.PUSH: 3, Channel.SMS: 0}
_LONGEST_LINE = 160


def plain(
    digest: Mapping[str, Any], said: Sequence[tuple[str, int]], *, name: str, channel: Channel, locales: Sequence[str]
) -> Mapping[str, str]:
    """`said`: headline and number of each item, oldest first; `name`: of the event type that all are of. `title` and `body`; of an
    SMS `body` alone says both."""
    words = next((WORDS[tag] for locale in locales if (tag := locale.partition("-")[0].lower()) in WORDS), WORDS["en"])
    total = digest["total"]
    headline = words.one if total == 1 else words.many.format(n=total)
    if name and digest["actors"]:
        headline = f"{name}: {_people(words, digest)}"
    elif name:
        headline = f"{name}: {headline}"
    shown = list(reversed(said))[: LINES[channel]]
    lines = [_line(title, count) for title, count in shown if title]
    if (left := total - sum(count for _, count in shown)) > 0 and lines:
        lines.append(words.more.format(n=left))
    if channel == Channel.SMS or not lines:
        return {"title": headline, "body": headline}
    return {"title": headline, "body": "\n".join(lines)}


def _people(words: Words, digest: Mapping[str, Any]) -> str:
    first, others = digest["actors"][0], digest["others"]
    if not others:
        return str(first)
    return words.others_one.format(name=first) if others == 1 else words.others_many.format(name=first, n=others)


def _line(title: str, count: int) -> str:
    short = title if len(title) <= _LONGEST_LINE else title[: _LONGEST_LINE - 1].rstrip() + "…"
    return f"• {short} ({count})" if count > 1 else f"• {short}"
