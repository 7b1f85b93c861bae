"""Who a campaign is for, in words. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_JOINTS = {"all": " and ", "any": " or ", "none": " nor "}
LONGEST = 300


def audience_words(audience: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """`names`: of segments and lists by their keys. "" when nobody was chosen."""
    include = audience.get("include")
    if not include:
        return ""
    said = rule_words(include, names)
    exclude = audience.get("exclude")
    return _cut(f"{said}, without {rule_words(exclude, names)}" if exclude else said)


def rule_words(rule: Mapping[str, Any], names: Mapping[str, str], *, is_inner: bool = False) -> str:
    for word in ("segment", "list"):
        if word in rule:
            return names.get(str(rule[word]), str(rule[word]))
    if "everyone" in rule:
        return "everybody"
    if "users" in rule:
        return f"{len(rule['users']):,} by id"
    if "field" in rule:
        value = rule.get("value", "")
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        return f"{rule['field']} {str(rule.get('op', '')).replace('_', ' ')} {text}".strip()
    word = next((word for word in _JOINTS if word in rule), "")
    parts = [rule_words(part, names, is_inner=True) for part in rule.get(word) or []]
    said = _JOINTS.get(word, " ").join(parts)
    if word == "none":
        return f"not ({said})" if len(parts) > 1 or is_inner else f"not {said}"
    return f"({said})" if is_inner and len(parts) > 1 else said


def named_in(audience: Mapping[str, Any]) -> set[str]:
    """The keys (or ids) of all segments and lists that it speaks of."""
    return set(_named([audience.get("include") or {}, audience.get("exclude") or {}]))


def _named(rules: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for rule in rules:
        for word in ("segment", "list"):
            if isinstance(rule.get(word), str):
                yield rule[word]
        for word in _JOINTS:
            if isinstance(rule.get(word), list):
                yield from _named(rule[word])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
