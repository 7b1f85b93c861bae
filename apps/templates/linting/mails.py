"""Emails: links, pictures, the way out, languages, size. From the source, with places; sizes from what was rendered."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from apps.core.enums import Category
from apps.templates.filters import is_safe_link
from apps.templates.linting.contrasts import looks, low_contrasts
from apps.templates.linting.findings import Finding, Severity, placed
from apps.templates.linting.walking import Element, Part, Text, plain, walk

LONG_SUBJECT, CUT_SUBJECT = 60, 70
LONG_PREHEADER = 130
CLIPPED = 102 * 1024
SMALL = 14.0
RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
_LINKED = frozenset({"a", "area", "mj-button", "mj-image", "mj-navbar-link", "mj-social-element"})
_PICTURES = frozenset({"img", "mj-image"})
_FINE = re.compile(r"https://[^\s/]|mailto:|tel:|sms:|#|\{[{%]", re.IGNORECASE)
_WAY_OUT = re.compile(r"\bvars\.(?:unsubscribe_url|preferences_url)\b")
_VAGUE = frozenset({"click here", "here", "click", "read more", "more", "link", "hier", "hier klicken", "mehr"})


def mail_findings(
    content: Mapping[str, str],
    category: Category | None,
    *,
    locale: str,
    rendered: Mapping[str, str] | None,
    layout: Mapping[str, str] | None,
) -> Iterator[Finding]:
    html = content.get("html", "")
    yield from _envelope(content, rendered)
    parts = list(walk(html))
    yield from _links(html, parts)
    yield from _pictures(html, parts)
    yield from low_contrasts(html, parts, field="html")
    yield from _small(html, parts)
    yield from _languages(html, parts, locale, layout)
    yield from _text_part(content, parts, rendered)
    yield from _way_out(content, category, layout)
    size = len((rendered or content).get("html", "").encode())
    if size > CLIPPED:
        said = f"The HTML has {size / 1024:.0f} KB. Gmail cuts a mail off after 102 KB, with its unsubscribe link."
        yield Finding("large_html", Severity.WARNING, said, "html")


def _envelope(content: Mapping[str, str], rendered: Mapping[str, str] | None) -> Iterator[Finding]:
    subject = _shown("subject", content, rendered)
    if len(subject) > LONG_SUBJECT:
        severity = Severity.WARNING if len(subject) > CUT_SUBJECT else Severity.INFO
        said = f"The subject has {len(subject)} characters; phones show about {LONG_SUBJECT}."
        yield Finding("long_subject", severity, said, "subject", 1, 1)
    preheader = _shown("preheader", content, rendered)
    if not preheader.strip():
        said = "Without a preheader, mail programs show the first words of the mail after the subject."
        yield Finding("no_preheader", Severity.INFO, said, "preheader")
    elif len(preheader) > LONG_PREHEADER:
        said = f"The preheader has {len(preheader)} characters; about {LONG_PREHEADER} are shown at most."
        yield Finding("long_preheader", Severity.INFO, said, "preheader", 1, 1)


def _shown(name: str, content: Mapping[str, str], rendered: Mapping[str, str] | None) -> str:
    """As a reader gets it, or else without its variables."""
    if rendered is not None:
        return rendered.get(name, "")
    return plain(content.get(name, ""))


def _links(html: str, parts: Sequence[Part]) -> Iterator[Finding]:
    link: Element | None = None
    words: list[str] = []
    for part in parts:
        if isinstance(part, Text):
            words.append(part.text)
            continue
        if link is not None and part.name == "img":
            words.append(part.said("alt"))
        if part.name in ("a", "mj-button"):
            if link is not None:
                yield from _link_text(html, link, " ".join(words))
            link, words = (None if part.is_closing or "href" not in part.attributes else part), []
        if part.name in _LINKED and not part.is_closing and "href" in part.attributes:
            yield from _address(html, part)


def _address(html: str, element: Element) -> Iterator[Finding]:
    href, index = element.attributes["href"]
    said = href.strip()
    if _FINE.match(said):
        return
    if not is_safe_link(said):
        code, severity, text = "unsafe_link", Severity.ERROR, f"`{said[:80]}` has a scheme that runs code."
    elif said.lower().startswith("http://"):
        code, severity = "link_not_https", Severity.WARNING
        text = f"`{said[:80]}` is not encrypted: use https."
    elif not said:
        code, severity, text = "link_not_absolute", Severity.ERROR, "This link leads nowhere."
    else:
        code, severity = "link_not_absolute", Severity.ERROR
        text = f"`{said[:80]}` leads nowhere from a mail: write it whole, with https://."
    yield placed(code, severity, text, field="html", source=html, index=index)


def _link_text(html: str, link: Element, words: str) -> Iterator[Finding]:
    said = " ".join(words.split())
    if not said and not link.said("aria-label") and not link.said("title"):
        text = "This link has no words: whoever listens to the mail hears only its address."
        yield placed("empty_link", Severity.WARNING, text, field="html", source=html, index=link.at)
    elif said.lower().strip(".!…> ") in _VAGUE:
        text = f"“{said}” does not say where the link goes."
        yield placed("vague_link", Severity.INFO, text, field="html", source=html, index=link.at)


def _pictures(html: str, parts: Sequence[Part]) -> Iterator[Finding]:
    for part in parts:
        if isinstance(part, Text) or part.is_closing or part.name not in _PICTURES:
            continue
        if "alt" not in part.attributes:
            text = (
                'This picture has no `alt`: many people see the words only. Write alt="" where it is mere decoration.'
            )
            yield placed("image_without_alt", Severity.WARNING, text, field="html", source=html, index=part.at)
        src = part.said("src").strip()
        if src and not re.match(r"https://|data:image/|cid:|\{[{%]", src, re.IGNORECASE):
            text = f"`{src[:80]}` is not shown everywhere: pictures need an address with https://."
            yield placed("image_not_https", Severity.WARNING, text, field="html", source=html, index=part.at)


def _small(html: str, parts: Sequence[Part]) -> Iterator[Finding]:
    told: set[float] = set()
    for look, text in looks(parts):
        if look.size < SMALL and look.size not in told:
            told.add(look.size)
            said = f"{look.size:g} px is small on a phone: {SMALL:g} px are the least."
            index = text.at + len(text.text) - len(text.text.lstrip())
            yield placed("small_text", Severity.INFO, said, field="html", source=html, index=index)


def _languages(html: str, parts: Sequence[Part], locale: str, layout: Mapping[str, str] | None) -> Iterator[Finding]:
    language = locale.partition("-")[0]
    roots = (part for part in parts if isinstance(part, Element) and part.name == "html")
    root = next((part for part in roots if not part.is_closing), None)
    if root is not None:
        lang = root.said("lang").strip()
        if not lang:
            said = f'Without `lang` it is read aloud in the wrong voice: <html lang="{locale or "en"}" …>.'
            yield placed("no_lang", Severity.WARNING, said, field="html", source=html, index=root.at)
        elif language and "{" not in lang and lang.partition("-")[0].lower() != language:
            said = f"It says lang=“{lang}”, and is the content for {locale}."
            yield placed("wrong_lang", Severity.WARNING, said, field="html", source=html, index=root.at)
        if not root.said("dir") and language not in RIGHT_TO_LEFT:
            said = "Without `dir` some webmail takes the direction of its own page: dir=“ltr”."
            yield placed("no_dir", Severity.INFO, said, field="html", source=html, index=root.at)
    if language in RIGHT_TO_LEFT and not (_turns(parts) or _turns(walk((layout or {}).get("html", "")))):
        said = f'{locale} runs from right to left: nothing here says dir="rtl".'
        yield Finding("no_rtl", Severity.WARNING, said, "html", 1, 1)


def _turns(parts: Iterable[Part]) -> bool:
    """`direction` is MJML's."""
    said = (part.said("dir") or part.said("direction") for part in parts if isinstance(part, Element))
    return any(direction.strip().lower() == "rtl" or "{" in direction for direction in said)


def _text_part(
    content: Mapping[str, str], parts: Sequence[Part], rendered: Mapping[str, str] | None
) -> Iterator[Finding]:
    if content.get("text", "").strip():
        return
    words = [rendered.get("text", "")] if rendered is not None else [text.text for _, text in looks(parts)]
    if any(said.strip() for said in words):
        said = "The text part is made from the HTML. Look at it under “Plain text”."
        yield Finding("text_part_made", Severity.INFO, said, "text")
    else:
        said = "There is no text part, and the HTML has no words to make one from: filters distrust such mail."
        yield Finding("no_text_part", Severity.WARNING, said, "text")


def _way_out(
    content: Mapping[str, str], category: Category | None, layout: Mapping[str, str] | None
) -> Iterator[Finding]:
    if category is not Category.MARKETING:
        return
    around = layout or {}
    if not any(_WAY_OUT.search(text) for text in (content.get("html", ""), around.get("html", ""))):
        said = "Marketing needs a link to unsubscribe: {{ vars.unsubscribe_url }}."
        yield Finding("no_unsubscribe_link", Severity.ERROR, said, "html")
    own = content.get("text", "")
    if own.strip() and not any(_WAY_OUT.search(text) for text in (own, around.get("text", ""))):
        said = "The text part has no link to unsubscribe: {{ vars.unsubscribe_url }}."
        yield Finding("no_unsubscribe_link", Severity.ERROR, said, "text")
