"""Liquid survives MJML and CSS inlining, or the publish fails with a place."""

from time import process_time

import pytest

from apps.templates.faults import Fault, RenderError
from apps.templates.mail_build import PREHEADER, build

LIST = """<table class="list">
{% for item in data.items %}<tr><td>{{ item.title }}</td><td>{{ item.price | currency: "EUR" }}</td></tr>{% endfor %}
</table>"""


def document(html: str, locale: str = "de-CH") -> str:
    return build(html, is_fragment=False, locale=locale).html


def fragment(html: str) -> str:
    return build(html, is_fragment=True, locale="en").html


def fault(html: str, *, is_fragment: bool = False) -> RenderError:
    with pytest.raises(RenderError) as caught:
        build(html, is_fragment=is_fragment, locale="en")
    return caught.value


def test_it_inlines_css_and_keeps_the_media_queries() -> None:
    css = "<style>p{color:red}@media (prefers-color-scheme: dark){p{color:#eee !important}}</style>"
    html = document(f"<html><head>{css}</head><body><p>{{{{ data.x }}}}</p></body></html>")
    assert '<p style="color: red;">{{ data.x }}</p>' in html
    assert "@media (prefers-color-scheme: dark){p{color:#eee !important}}" in html


def test_it_keeps_loops_inside_tables() -> None:
    assert fragment(LIST) == (
        '<table class="list"><tbody>\n'
        "{% for item in data.items %}<tr><td>{{ item.title }}</td>"
        '<td>{{ item.price | currency: "EUR" }}</td></tr>{% endfor %}\n</tbody></table>'
    )


def test_it_keeps_quotes_in_attributes() -> None:
    html = fragment('<a href="https://a.test/{{ data.id | default: "x" }}" title="{% if data.a %}A{% endif %}">Go</a>')
    assert html == '<a href="https://a.test/{{ data.id | default: "x" }}" title="{% if data.a %}A{% endif %}">Go</a>'


def test_it_guards_outputs_that_begin_a_link() -> None:
    html = fragment(
        '<a href="{{ data.url }}">a</a><img src="{%- if data.x -%}{{- data.img -}}{% endif %}" alt="{{ data.alt }}">'
    )
    assert html == (
        '<a href="{{ data.url | link }}">a</a>'
        '<img src="{%- if data.x -%}{{- data.img | link -}}{% endif %}" alt="{{ data.alt }}">'
    )


def test_it_keeps_liquid_in_styles_and_comments() -> None:
    source = "<style>.a{color:{{ data.color }}}{% if data.x %}.b{top:0}{% endif %}</style><!--[if mso]>{{ data.y }}<![endif]-->"
    html = document(f"<html><head>{source}</head><body>x</body></html>")
    assert source in html


def test_it_makes_a_document_of_a_fragment() -> None:
    html = document("<p>Hi</p>")
    assert html.startswith('<!DOCTYPE html><html lang="de-CH"><head><meta charset="utf-8">')
    assert f"<body>{PREHEADER}<p>Hi</p></body>" in html


def test_it_compiles_mjml_without_web_fonts() -> None:
    html = document(
        "<mjml><mj-head><mj-title>{{ data.title }}</mj-title></mj-head><mj-body><mj-section>\n"
        "{% for item in data.items %}<mj-column><mj-text>{{ item.name }}</mj-text>"
        '<mj-button href="{{ item.url }}">Go</mj-button></mj-column>{% endfor %}</mj-section></mj-body></mjml>'
    )
    assert html.count("{% for item in data.items %}") == html.count("{% endfor %}") == 1
    assert html.count("{{ data.title }}") == 2
    assert 'href="{{ item.url | link }}"' in html
    assert 'lang="de-CH"' in html
    assert "fonts.googleapis" not in html
    assert "<mj-" not in html


@pytest.mark.parametrize(
    ("source", "place", "detail"),
    [
        ("<table>{{ data.rows }}<tr><td>1</td></tr></table>", (1, 8), "`{{ data.rows }}` cannot stand here"),
        ("<p>\n<table><tr>{{ data.c }}<td>1</td></tr></table>", (2, 12), "`{{ data.c }}` cannot stand here"),
        ("<p>x</p>\n<tr><td>{{ data.x }}</td></tr>", (2, 1), "`<tr>` cannot stand here"),
        ("<table><td>1</td></table>", (1, 8), "`<td>` cannot stand here"),
        ("<p>a <b", (1, 6), "This `<` opens a tag or comment that is never closed."),
        ("<p>x\n<!-- y", (2, 1), "This `<` opens a tag or comment that is never closed."),
        ("<style>p{color:red}", (1, 1), "This `<` opens a tag or comment that is never closed."),
        ("<div>" * 101, (1, 501), "Elements are nested more than 100 deep."),
        ("<mjml>\n<mj-body>\n<mj-sektion>x</mj-sektion></mj-body></mjml>", (3, 1), "`mj-sektion` is not known"),
        ('<mjml><mj-body><mj-include path="file:///etc/passwd" /></mj-body></mjml>', (1, 1), "The MJML cannot be read"),
        ("<mjml>\n<mj-body></mjml>", (None, None), "The MJML cannot be read"),
    ],
)
def test_it_refuses_markup_that_would_not_survive(source: str, place: tuple[int, int], detail: str) -> None:
    error = fault(source)
    assert error.code is Fault.MARKUP
    assert error.detail.startswith(detail)
    assert (error.line, error.column) == place


def test_it_refuses_a_document_within_a_layout() -> None:
    for source in ("\n<html><p>x</p></html>", "\n<mjml></mjml>", "\n<body>x</body>"):
        error = fault(source, is_fragment=True)
        assert (error.code, error.line, error.column) == (Fault.LAYOUT, 2, 1)


def test_it_loads_nothing_from_elsewhere() -> None:
    link = '<link rel="stylesheet" href="file:///etc/hostname"><link rel="stylesheet" href="http://127.0.0.1:1/a.css">'
    began = process_time()
    html = document(f"<html><head>{link}</head><body><p>x</p></body></html>")
    assert "<link" not in html
    assert process_time() - began < 5


def test_it_makes_a_text_part() -> None:
    built = build(
        "<style>p{color:red}</style><h1>Hello {{ data.name }}</h1><p>It is <b>on its way</b>.</p>"
        '<p><a href="https://a.test/{{ data.id }}">Follow it</a></p>' + LIST + "<ul><li>1. one</li></ul>"
        '<img src="a.png" alt="Cup">',
        is_fragment=True,
        locale="en",
    )
    assert built.text == (
        "Hello {{ data.name }}\n\nIt is on its way.\n\nFollow it: https://a.test/{{ data.id }}\n\n"
        '{% for item in data.items %}{{ item.title }} {{ item.price | currency: "EUR" }}\n{% endfor %}\n\n'
        "  - 1. one\n\nCup"
    )


def test_it_remembers_where_each_tag_was_written() -> None:
    built = build("<p>\n  {{ a }}</p>\n<a href='{{ b }}'>{% if c %}x{% endif %}</a>", is_fragment=True, locale="en")
    assert built.marks == ((2, 3), (3, 10), (3, 19), (3, 30))


@pytest.mark.parametrize(
    "source",
    [
        "<" * 150_000,
        "<a " * 50_000,
        '<a "' * 37_000,
        "<!--" * 37_000,
        "<style>" * 21_000,
        "&" * 150_000,
        "[a](" * 37_000,
        ("<b>" * 90 + "<p>") * 500,
        "<style>" + "".join(f".a{n} .b{n} p{{color:red}}" for n in range(2_500)) + "</style>" + "<p>a</p>" * 4_000,
        "<mjml><mj-body>" + "<td>" * 30_000,
        "<table>" + "<tr>" * 20_000,
    ],
)
def test_hostile_markup_takes_seconds_at_most(source: str) -> None:
    began = process_time()
    try:
        build(source, is_fragment=False, locale="en")
    except RenderError as error:
        assert error.code is Fault.MARKUP
    assert process_time() - began < 15
