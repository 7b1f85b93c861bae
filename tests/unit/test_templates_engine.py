"""What a template may say, and what it says when data is missing."""

from typing import Any

import pytest

from apps.templates.engine import parse, run
from apps.templates.faults import Fault, RenderError

DATA: dict[str, Any] = {
    "data": {
        "name": "Zoë <b>",
        "count": 3,
        "nothing": None,
        "items": [{"title": "Cup", "price": 1.5}, {"title": "Jug", "price": 2}],
        "evil": "{{ data.name }} {% if true %}",
    },
    "recipient": {"first_name": "Rosa", "locale": "de-CH", "timezone": "Europe/Zurich"},
}


def said(source: str, *, is_html: bool = False) -> str:
    return run(parse(source, is_html=is_html), DATA)


def fault(source: str, *, is_html: bool = False) -> RenderError:
    with pytest.raises(RenderError) as caught:
        said(source, is_html=is_html)
    return caught.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Hi {{ recipient.first_name }}", "Hi Rosa"),
        ("{{ data.title | default: 'there' }}", "there"),
        ("{{ data.nothing | default: 'there' }}", "there"),
        ("{% if data.vip %}VIP{% else %}guest{% endif %}", "guest"),
        ("{% if data.vip.level > 3 %}VIP{% endif %}.", "."),
        ("{% unless data.vip %}guest{% endunless %}", "guest"),
        ("{% case data.vip %}{% when 1 %}one{% else %}none{% endcase %}", "none"),
        ("{% for i in data.items %}{{ forloop.index }}{{ i.title }} {% endfor %}", "1Cup 2Jug "),
        ("{{ data.items | map: 'title' | join: ', ' }}", "Cup, Jug"),
        ("{{ data.items.size }} {{ data.items.first.title }} {{ data.items[1].title }}", "2 Cup Jug"),
        ("{{ data.count | times: 1.5 }} {{ true }}", "4.5 true"),
        ("{% capture x %}{{ data.count }}!{% endcapture %}{{ x }}{{ x }}", "3!3!"),
        ("{% comment %} {{ not.there }} {% endcomment %}{% # nor this %}.", "."),
        ("{{ data.items | map: 'price' | uniq | size }}", "2"),
    ],
)
def test_it_says(source: str, expected: str) -> None:
    assert said(source) == expected


@pytest.mark.parametrize(
    ("source", "detail", "column"),
    [
        ("Hi {{ data.first_name }}", "`data.first_name` is missing.", 7),
        ("{{ order.total }}", "`order.total` is missing.", 4),
        ("{{ data.items[7].title }}", "`data.items[7].title` is missing.", 4),
        ("{{ data.nothing }}", "`data.nothing` is null.", 1),
        ("{{ data.total | times: 2 }}", "`data.total` is missing.", 4),
        ("{{ data.count | plus: data.more }}", "`data.more` is missing.", 23),
        ("{{ data.total | date: '%Y' }}", "`data.total` is missing.", 4),
        ("{{ data.total | upcase }}", "`data.total` is missing.", 4),
        ("{{ data.title | default: data.fallback }}", "`data.fallback` is missing.", 26),
        ("{% for i in data.things %}{% endfor %}", "`data.things` is missing.", 13),
        ("{% assign x = data.title %}{{ x }}", "`data.title` is missing.", 15),
    ],
)
def test_it_refuses_missing_data(source: str, detail: str, column: int) -> None:
    error = fault(source)
    assert (error.code, error.detail, error.line, error.column) == (Fault.MISSING_DATA, detail, 1, column)


def test_it_counts_lines_from_one() -> None:
    error = fault("Hi\n\n  {{ data.title }}")
    assert (error.line, error.column) == (3, 6)


@pytest.mark.parametrize(
    ("source", "code", "detail"),
    [
        ("{{ data }}", Fault.WRONG_VALUE, "An object has no text; name one of its fields."),
        ("{{ data.items }}", Fault.WRONG_VALUE, "An object has no text; name one of its fields."),
        ("{{ data.name | times: 2 }}", Fault.WRONG_VALUE, "`times` needs numbers."),
        ("{{ data.count | divided_by: 0 }}", Fault.WRONG_VALUE, "divided_by: can't divide by 0"),
        ("{{ data.name | upcse }}", Fault.SYNTAX, "There is no filter `upcse`."),
        ("{{ data.name | safe }}", Fault.SYNTAX, "There is no filter `safe`."),
        ("{% break %}", Fault.SYNTAX, "`break` belongs into a loop."),
        ("{% wrap %}", Fault.SYNTAX, "unexpected tag 'wrap'"),
        ("{% include 'footer' %}", Fault.SYNTAX, "The tag `include` is not available here."),
        ("{% render 'footer' %}", Fault.SYNTAX, "There is no published partial `footer` here."),
        ("{% render footer %}", Fault.SYNTAX, "Name the partial in quotes: `{% render 'footer' %}`."),
    ],
)
def test_it_refuses_what_makes_no_sense(source: str, code: Fault, detail: str) -> None:
    error = fault(source)
    assert (error.code, error.detail, error.line) == (code, detail, 1)


def test_it_never_renders_data() -> None:
    assert said("{{ data.evil }}") == "{{ data.name }} {% if true %}"
    assert said("{% capture x %}{{ data.evil }}{% endcapture %}{{ x | append: x | size }}") == "58"


def test_it_escapes_in_html_only() -> None:
    assert said("{{ data.name }}") == "Zoë <b>"
    assert said("<i>{{ data.name }}</i>", is_html=True) == "<i>Zoë &lt;b&gt;</i>"


@pytest.mark.parametrize(
    "source",
    [
        "{% capture x %}{{ data.name }}{% endcapture %}{{ x }}",
        "{% capture x %}{{ data.name }}{% endcapture %}{{ x | strip_html }}",
        "{{ '<i>' | append: data.name }}",
        "{{ data.name | prepend: '<i>' }}",
        "{{ 'X' | replace: 'X', data.name }}",
        "{{ data.name | newline_to_br }}{{ data.name | split: 'x' | first }}",
        "{{ data.name | split: '' | join: '<br>' }}",
        "{{ data.name | strip_newlines | squish | truncate: 90 }}",
        "{{ data.name | url_encode | url_decode }}",
        "{{ data.name | base64_encode | base64_decode }}",
        "{{ data.name | escape_once }}",
    ],
)
def test_no_filter_lets_markup_of_data_through(source: str) -> None:
    assert "<b>" not in said(source, is_html=True)


def test_it_reads_no_attributes_of_objects() -> None:
    for path in ("__class__", "items.append", "name.upper", "name.__class__", "items.__len__"):
        assert fault(f"{{{{ data.{path} }}}}").code is Fault.MISSING_DATA
