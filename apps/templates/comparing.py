"""What differs between two renderings, short enough to read, with addresses and secret values masked. Pure."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from difflib import unified_diff
from typing import Any

MOST_ALIKE = 8
"""Lines that went, and lines that came."""
MOST_WIDTH = 200
_MOST_COMPARED = 400
# 64: RFC 5321, section 4.5.3.1.1; without a bound a long word takes the square of its length
_MAIL = re.compile(r"[\w.+-]{1,64}@([\w-]{1,63}\.[\w.-]+)")
_NUMBER = re.compile(r"\+?\d[\d \-/().]{6,}\d")
_EDGE = re.compile(r"(?<=>)(?=\s*<)|\n")
HIDDEN = "•••"


def masked(text: str, secrets: Collection[str] = ()) -> str:
    """Without secrets, addresses and long numbers."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _MAIL.sub(rf"{HIDDEN}@\1", text)
    return _NUMBER.sub(lambda found: HIDDEN + found[0][-2:], text)


def secrets_of(data: Mapping[str, Any], keys: Collection[str]) -> set[str]:
    """Every text and number below those keys that is long enough to be told from the rest of a message."""
    return {text for key in keys if key in data for text in _texts(data[key]) if len(text) > 2}


def difference(
    old: Mapping[str, str], new: Mapping[str, str], secrets: Collection[str] = ()
) -> dict[str, tuple[str, ...]]:
    """By field that is not the same: the lines that went (`-`) and came (`+`), with what stands around them."""
    return {
        name: _lines(old.get(name, ""), new.get(name, ""), secrets)
        for name in dict.fromkeys((*old, *new))
        if old.get(name, "") != new.get(name, "")
    }


def _lines(old: str, new: str, secrets: Collection[str]) -> tuple[str, ...]:
    before, after = _split(masked(old, secrets)), _split(masked(new, secrets))
    found = [line for line in unified_diff(before, after, lineterm="", n=1) if line[:3] not in ("---", "+++")]
    if not found:
        return ("  Only what is masked here, or far below, differs.",)
    counts: Counter[str] = Counter()
    shown = []
    for line in found:
        counts[line[0]] += 1
        if counts[line[0]] <= MOST_ALIKE:
            shown.append(line[:MOST_WIDTH] + ("…" if len(line) > MOST_WIDTH else ""))
    if len(shown) < len(found):
        shown.append(f"  … and {len(found) - len(shown)} lines more")
    return tuple(shown)


def _split(text: str) -> list[str]:
    return [line for line in _EDGE.split(text) if line.strip()][:_MOST_COMPARED]


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case bool() | None:
            return
        case int() | float():
            yield str(value)
        case Mapping():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
