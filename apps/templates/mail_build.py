"""The build of an email, once at publish: Liquid masked -> MJML to HTML -> CSS inlined -> unmasked, and its text part.

Neither MJML's nor CSS's parser knows Liquid: they would move `{% for %}` out of a table and tear quotes in an `href` apart.
So a tag in text becomes a comment (legal inside tables), any other tag a word; afterwards all must still be there, in order.
"""

import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from itertools import zip_longest

import css_inline
import mrml
from html2text import HTML2Text

from apps.templates import braces, markup
from apps.templates.faults import Fault, RenderError, place_of

PREHEADER = "<!--preheader-->"
Mark = tuple[int, int]

_TOKEN = re.compile(r"lqx(\d+)xlq")
_COMMENT = re.compile(r"<!--lqx(\d+)xlq-->")
_LINK = re.compile(
    r"""\b(?:href|src|action|formaction|background)\s*=\s*["']?\s*((?:lqx\d+xlq\s*)+)""",
    re.IGNORECASE,
)
_MOVED = "`{}` cannot stand here: the mail's markup would move or drop it."
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_DOCUMENT = re.compile(r"<(html|body|head)\b", re.IGNORECASE)
_MJML = re.compile(r"<mjml\b", re.IGNORECASE)
_TABLE = r"<table\b(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>"
_ROWS = re.compile(rf"<!--(?!lqx).*?-->|{_TABLE}(?=(?:\s|<!--lqx\d+xlq-->)*<tr\b)", re.IGNORECASE | re.DOTALL)
_CELL_END = re.compile(r"(?=</t[dh]>)")
_ORDER = re.compile(r"lqx(\d+)xlq|<(table|tr|td|th|thead|tfoot|caption|col)\b", re.IGNORECASE)
_UNKNOWN = re.compile(r"<(mj-[a-z-]+)")
_TEXT_LINK = re.compile(r"\[([^\[\]]*+)\]\(([^()\s]*+)\)")
_INLINER = css_inline.CSSInliner(keep_style_tags=True, keep_at_rules=True, load_remote_stylesheets=False)


@dataclass(frozen=True, slots=True)
class Built:
    """`marks`: for each Liquid tag of `html`, in order, its line and column in the source."""

    html: str
    text: str
    marks: tuple[Mark, ...]


def build(source: str, *, is_fragment: bool, locale: str) -> Built:
    """`is_fragment`: a layout will be put around it. Raises RenderError with the place in `source` where there is one."""
    tags = braces.tags(source, is_html=True)
    is_mjml = _MJML.search(source) is not None
    if is_fragment and (found := _DOCUMENT.search(source) or _MJML.search(source)):
        said = (
            "A template with a layout has no document of its own: leave `<html>`, `<body>` and `<mjml>` to the layout."
        )
        raise _error(source, found.start(), Fault.LAYOUT, said)
    markup.check(source, tags, is_xml=is_mjml)
    masked = _masked(source, tags)
    if is_mjml:
        html = _from_mjml(masked, locale)
        _refuse_lost(source, tags, html)
    else:
        html = masked if is_fragment else _document(masked, locale)
    html = _ROWS.sub(lambda match: match[0] if match[0].startswith("<!") else f"{match[0]}<tbody>", html)
    inlined = _INLINER.inline_fragment(html, "") if is_fragment else _INLINER.inline(html)
    _refuse_moved(source, tags, html, inlined, is_mjml=is_mjml)
    if not is_fragment:
        inlined = _BODY.sub(lambda match: match[0] + PREHEADER, inlined, count=1)
    links = {int(number) for run in _LINK.finditer(inlined) for number in _TOKEN.findall(run[1])}
    written = [source[tag.start : tag.end] for tag in tags]
    guarded = [_guarded(text) if n in links and tags[n].is_output else text for n, text in enumerate(written)]
    return Built(
        html=_unmasked(inlined, guarded),
        text=_unmasked(_text(inlined), written),
        marks=tuple(place_of(source, tags[int(number)].start) for number in _TOKEN.findall(inlined)),
    )


def _masked(source: str, tags: list[braces.Tag]) -> str:
    """Each tag as a word; tags that are not outputs and stand in text as comments."""
    parts: list[str] = []
    position = 0
    for number, tag in enumerate(tags):
        parts += (source[position : tag.start], f"lqx{number}xlq")
        position = tag.end
    words = "".join((*parts, source[position:]))
    spans = markup.spans(words)
    span = next(spans, None)

    def in_text(match: re.Match[str]) -> str:
        nonlocal span
        while span is not None and span[1] <= match.start():
            span = next(spans, None)
        is_inside = span is not None and span[0] <= match.start()
        return match[0] if is_inside or tags[int(match[1])].is_output else f"<!--{match[0]}-->"

    return _TOKEN.sub(in_text, words)


def _from_mjml(masked: str, locale: str) -> str:
    """Without the web fonts that MJML would load from elsewhere by itself."""
    try:
        html: str = mrml.to_html(masked, render_options=mrml.RenderOptions(fonts={})).content
    except OSError as error:
        place = re.search(r" in root template(?: at position (\d+):\d+)?$", str(error))
        said = f"The MJML cannot be read: {str(error)[: place.start()] if place else error}."
        if place is None or place[1] is None:
            raise RenderError(Fault.MARKUP, said) from None
        before = masked.encode()[: int(place[1])].decode(errors="ignore")
        raise RenderError(Fault.MARKUP, said, line=before.count("\n") + 1, column=1) from None
    if unknown := _UNKNOWN.search(html):
        index = masked.find(unknown[0])
        said = f"`{unknown[1]}` is not known, or cannot stand here."
        raise RenderError(Fault.MARKUP, said, line=masked.count("\n", 0, index) + 1, column=1)
    return html.replace('lang="und"', f'lang="{escape(locale or "und")}"')


def _document(masked: str, locale: str) -> str:
    if _DOCUMENT.search(masked):
        return masked
    return (
        f'<!doctype html><html lang="{escape(locale or "und")}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        f"<body>{masked}</body></html>"
    )


def _refuse_lost(source: str, tags: list[braces.Tag], html: str) -> None:
    """MJML may repeat an output (a title is also a label), nothing else."""
    counts = Counter(int(number) for number in _TOKEN.findall(html))
    for number, tag in enumerate(tags):
        if counts[number] != 1 and not (tag.is_output and counts[number]):
            raise _error(source, tag.start, Fault.MARKUP, _MOVED.format(source[tag.start : tag.end]))


def _refuse_moved(source: str, tags: list[braces.Tag], before: str, after: str, *, is_mjml: bool) -> None:
    """A parser of HTML moves what stands in a table outside of its cells in front of it, and drops rows without a table."""
    wanted, found = list(_ORDER.finditer(before)), list(_ORDER.finditer(after))
    pairs = enumerate(zip_longest((match.groups() for match in wanted), (match.groups() for match in found)))
    odd = next((index for index, (b, a) in pairs if b != a), None)
    if odd is None:
        return
    is_dropped = odd < len(wanted) and _count(wanted, wanted[odd]) != _count(found, wanted[odd])
    if not is_dropped and odd < len(found) and found[odd][1]:
        tag = tags[int(found[odd][1])]
        raise _error(source, tag.start, Fault.MARKUP, _MOVED.format(source[tag.start : tag.end]))
    if is_mjml:
        raise RenderError(Fault.MARKUP, _MOVED.format("Something in a table"))
    tables = [match.start() for match in _ORDER.finditer(markup.blanked(source, tags)) if match[2]]
    places = sorted([*tables, *(tag.start for tag in tags)])
    place = places[min(odd, len(places) - 1)]
    end = next((tag.end for tag in tags if tag.start == place), source.find(">", place) + 1)
    raise _error(source, place, Fault.MARKUP, _MOVED.format(source[place:end]))


def _count(matches: list[re.Match[str]], sought: re.Match[str]) -> int:
    return sum(match.groups() == sought.groups() for match in matches)


def _guarded(output: str) -> str:
    """`{{ data.url }}` at the beginning of a link -> `{{ data.url | link }}`, which refuses `javascript:` (filters.py)."""
    end = -3 if output.endswith("-}}") else -2
    return f"{output[:end].rstrip()} | link {output[end:]}"


def _unmasked(text: str, tags: list[str]) -> str:
    return _TOKEN.sub(lambda match: tags[int(match[1])], _COMMENT.sub(r"lqx\1xlq", text))


def _text(html: str) -> str:
    """The text part: links as `words: address`, no marks of Markdown."""
    reader = HTML2Text(bodywidth=0)
    reader.ignore_emphasis = reader.images_to_alt = reader.ignore_tables = True
    reader.ul_item_mark = "-"
    plain = reader.handle(_CELL_END.sub(" ", _COMMENT.sub(r"lqx\1xlq", html)))
    plain = _TEXT_LINK.sub(lambda match: match[2] if match[1] in ("", match[2]) else f"{match[1]}: {match[2]}", plain)
    lines = [re.sub(r"^#+ |\\(?=[-.+#!])", "", line).rstrip() for line in plain.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _error(source: str, index: int, code: Fault, detail: str) -> RenderError:
    line, column = place_of(source, index)
    return RenderError(code, detail, line=line, column=column)
