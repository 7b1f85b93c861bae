"""Two versions side by side: per channel, locale and field, line by line, with the words that changed marked."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import zip_longest

from apps.templates.selectors import VariantRow

AROUND = 3
MOST_LINES = 4_000
MOST_MARKED = 600
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_ORDER = {name: place for place, name in enumerate(("subject", "preheader", "title", "body", "html", "text"))}
Piece = tuple[bool, str]


@dataclass(frozen=True, slots=True)
class Side:
    """A line. `pieces`: its text, in pieces that changed (True) and that did not. `number` from 1; None: there is no such line."""

    number: int | None = None
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """`kind`: same, changed, added, removed, or skipped: then `skipped` lines are the same on both sides."""

    kind: str
    before: Side = Side()
    after: Side = Side()
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class FieldDiff:
    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class VariantDiff:
    """`kind`: same, changed, added or removed. `fields`: those that changed."""

    channel: str
    locale: str
    kind: str
    fields: tuple[FieldDiff, ...] = field(default=())


def compare(before: Iterable[VariantRow], after: Iterable[VariantRow]) -> list[VariantDiff]:
    """In the order of `after`; what is only in `before` comes last."""
    old = {(row.channel, row.locale): row.source for row in before}
    new = {(row.channel, row.locale): row.source for row in after}
    found = []
    for key in [*new, *(key for key in old if key not in new)]:
        a, b = old.get(key, {}), new.get(key, {})
        kind = (
            "removed" if key not in new else "added" if key not in old else "changed" if dict(a) != dict(b) else "same"
        )
        found.append(VariantDiff(*key, kind, tuple(_fields(a, b))))
    return found


def lines(before: str, after: str) -> tuple[Row, ...]:
    """Long stretches of what is the same are left out. Texts of more than MOST_LINES are compared line for line at their places."""
    old, new = _split(before), _split(after)
    if max(len(old), len(new)) > MOST_LINES:
        pairs = zip_longest(range(len(old)), range(len(new)))
        rows = [_row(old, new, a, b) for a, b in pairs]
    else:
        rows = list(_aligned(old, new))
    return tuple(_folded(rows))


def _fields(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[FieldDiff]:
    for name in sorted({*old, *new}, key=lambda name: (_ORDER.get(name, len(_ORDER)), name)):
        if old.get(name, "") != new.get(name, ""):
            yield FieldDiff(name, lines(old.get(name, ""), new.get(name, "")))


def _aligned(old: list[str], new: list[str]) -> Iterator[Row]:
    for kind, a, a_end, b, b_end in SequenceMatcher(None, old, new, autojunk=len(old) > 1_000).get_opcodes():
        if kind == "equal":
            yield from (_row(old, new, a + n, b + n) for n in range(a_end - a))
        else:
            yield from (_row(old, new, x, y) for x, y in zip_longest(range(a, a_end), range(b, b_end)))


def _row(old: list[str], new: list[str], a: int | None, b: int | None) -> Row:
    if a is None or b is None:
        before = Side() if a is None else Side(a + 1, ((True, old[a]),))
        after = Side() if b is None else Side(b + 1, ((True, new[b]),))
        return Row("added" if a is None else "removed", before, after)
    if old[a] == new[b]:
        return Row("same", Side(a + 1, ((False, old[a]),)), Side(b + 1, ((False, new[b]),)))
    left, right = _marked(old[a], new[b])
    return Row("changed", Side(a + 1, left), Side(b + 1, right))


def _marked(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    if max(len(old), len(new)) > MOST_MARKED:
        return ((True, old),), ((True, new),)
    a, b = _WORDS.findall(old), _WORDS.findall(new)
    left: list[Piece] = []
    right: list[Piece] = []
    for kind, start, end, at, to in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if end > start:
            left.append((kind != "equal", "".join(a[start:end])))
        if to > at:
            right.append((kind != "equal", "".join(b[at:to])))
    return tuple(left), tuple(right)


def _folded(rows: list[Row]) -> Iterator[Row]:
    near = {n for at, row in enumerate(rows) if row.kind != "same" for n in range(at - AROUND, at + AROUND + 1)}
    skipped = 0
    for at, row in enumerate(rows):
        if at in near:
            if skipped:
                yield Row("skipped", skipped=skipped)
                skipped = 0
            yield row
        else:
            skipped += 1
    if skipped:
        yield Row("skipped", skipped=skipped)


def _split(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n") if text else []
