"""Broken braces are found before anything is sent, with their place."""

import pytest

from apps.templates.braces import Tag, tags
from apps.templates.faults import Fault, RenderError


@pytest.mark.parametrize(
    ("source", "line", "column", "detail"),
    [
        ("Hi {{ name }", 1, 4, "`{{` is not closed with `}}`."),
        ("Hi {{ name } and {{ other }}", 1, 4, "`{{` is not closed with `}}`."),
        ("Hi\nyou {{ name", 2, 5, "`{{` is not closed with `}}`."),
        ("Hi { name }}", 1, 11, "`}}` closes nothing."),
        ("{% if data.x }}", 1, 1, "`{%` is not closed with `%}`."),
        ("{{ data.x %}", 1, 1, "`{{` is not closed with `}}`."),
        ("100%} sure", 1, 4, "`%}` closes nothing."),
        ("{{ 'a' | append: '{{' }}", 1, 1, "`{{` is not closed with `}}`."),
    ],
)
@pytest.mark.parametrize("is_html", [False, True])
def test_it_refuses_stray_braces(source: str, line: int, column: int, detail: str, is_html: bool) -> None:
    with pytest.raises(RenderError) as caught:
        tags(source, is_html=is_html)
    error = caught.value
    assert (error.code, error.line, error.column, error.detail) == (Fault.BRACES, line, column, detail)


@pytest.mark.parametrize(
    ("source", "line", "column", "detail"),
    [
        ("a {% if data.x %}b", 1, 3, "`if` is not closed with `{% endif %}`."),
        ("{% if a %}\n{% for i in b %}{% endif %}", 2, 17, "`endif` closes nothing here."),
        ("a{% endif %}", 1, 2, "`endif` closes nothing here."),
        ("{{ }}", 1, 1, "This tag is empty."),
        ("{%- -%}", 1, 1, "This tag is empty."),
        ("{% raw %}{{ x }}{% endraw %}", 1, 1, "The tag `raw` is not available here."),
        ("{% assign a = (1..3) %}", 1, 1, "A range `(1..3)` belongs into `{% for %}`."),
    ],
)
def test_it_refuses_broken_tags(source: str, line: int, column: int, detail: str) -> None:
    with pytest.raises(RenderError) as caught:
        tags(source, is_html=False)
    error = caught.value
    assert (error.code, error.line, error.column, error.detail) == (Fault.SYNTAX, line, column, detail)


def test_it_lets_css_close_its_braces_in_html() -> None:
    css = "<style>@media print{p{width:100%}}</style>"
    assert tags(css + "{{ a }}", is_html=True) == [Tag(len(css), len(css) + 7, "")]
    with pytest.raises(RenderError):
        tags(css, is_html=False)
    with pytest.raises(RenderError):
        tags(css + "a }}", is_html=True)


def test_it_lists_tags_in_order() -> None:
    found = tags("{% if a %}{{ b }}{%- else -%}{% endif %}{% # note %}", is_html=False)
    assert [tag.name for tag in found] == ["if", "", "else", "endif", "#"]
    assert [tag.is_output for tag in found] == [False, True, False, False, False]


def test_a_comment_may_hold_open_blocks() -> None:
    assert len(tags("{% comment %}{% if a %}{% endcomment %}", is_html=False)) == 3
