"""The short way through a template says what the engine says, or leaves it to the engine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.templates import engine, plain
from apps.templates.faults import RenderError

NAMES = ("recipient", "data", "x", "size", "first")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("<b>&'\"{{"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(".".join)
pieces = st.sampled_from(["a", " <i>", "\n", "{{- x -}}", "{{ x | upcase }}", "{{ x | link }}"]) | paths.map(
    lambda p: f"{{{{ {p} }}}}"
)


@given(
    st.lists(pieces, max_size=5).map("".join),
    st.dictionaries(st.sampled_from(NAMES), values, max_size=4),
    st.booleans(),
)
def test_it_says_what_the_engine_says_or_nothing(source: str, data: dict[str, object], is_html: bool) -> None:
    template = engine.parse(source, is_html=is_html)
    short = plain.said(template, data)
    if short is None:
        return
    template.__dict__["plain_pieces"] = None
    assert engine.run(template, data) == short


@pytest.mark.parametrize(
    ("source", "data", "expected"),
    [
        ("Hi {{ recipient.first }}{{ x }}", {"recipient": {"first": "A"}, "x": "B"}, None),
        ("Hi {{ recipient.name }}", {"recipient": {"name": "A"}}, "Hi A"),
        ("{{ x }}", {"x": 1}, None),
        ("{{ x }}", {}, None),
        ("{% if x %}y{% endif %}", {"x": "1"}, None),
        ("{{ x | upcase }}", {"x": "a"}, None),
        ("{{ x | link }}", {"x": "https://acme.test/?a=1&b=2"}, "https://acme.test/?a=1&b=2"),
        ("{{ x | link }}", {"x": "javascript:alert(1)"}, None),
        ("", {}, ""),
    ],
)
def test_the_short_way_is_for_texts_under_their_names(
    source: str, data: dict[str, object], expected: str | None
) -> None:
    assert plain.said(engine.parse(source), data) == expected


def test_what_is_missing_still_fails_with_its_place() -> None:
    with pytest.raises(RenderError) as caught:
        engine.run(engine.parse("Hi {{ recipient.nam }}"), {"recipient": {"name": "A"}})
    assert (caught.value.line, caught.value.column) == (1, 7)
