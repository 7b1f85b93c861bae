"""Broken and hostile templates, in every field of every channel: refused, or rendered without a brace of their own. None leaves."""

import html
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from apps.core.enums import Channel
from apps.templates.excerpts import excerpt
from apps.templates.faults import RenderError
from apps.templates.parsed import Content, Version
from apps.templates.proving import Source
from apps.templates.rendering import context_of, locale_chain, render
from tests.unit.templates_cast import ACME, ROSA, VERSION, layout, proof

# what nobody noticed when it was written
FORGOTTEN = [
    "Hi {{ data.name }",
    "Hi {{ data.name",
    "Hi {{",
    "Hi }}",
    "Hi { { data.name }}",
    "Hi {data.name}}",
    "Hi {{ data.name } and {{ data.id }}",
    "Hi {{ data.name ) }}",
    "Hi {{ data.name | }}",
    "Hi {{ | upcase }}",
    "Hi {{ data..name }}",
    "Hi {{ data.name.first.last }}",
    "Hi {{ data.nothing }}",
    "Hi {{ nothing }}",
    "Hi {{ data.name | upcse }}",
    "Hi {{ data['name' }}",
    "Hi {{ 'data.name }}",
    "Hi {{{ data.name }}}",
    "Hi {{{{ data.name }}}}",
    "Hi {% data.name %}",
    "Hi {% if data.name %}there",
    "Hi {% if data.name }}there{{ endif }}",
    "Hi {% if data.name %}there{% endfor %}",
    "Hi {% if %}there{% endif %}",
    "Hi {% for x in data.list %}{{ x }}",
    "Hi {% for x data.list %}{{ x }}{% endfor %}",
    "Hi {% else %} there",
    "Hi {% endif %}",
    "Hi {% elsif data.name %}",
    "Hi {% case data.name %}{% when %}{% endcase %}",
    "Hi {% assign name %}{{ name }}",
    "Hi {% capture x %}{{ data.name }}",
    "Hi %} there {%",
    "Hi {%%}",
    "Hi {{}}",
    "Hi {# data.name #} {{ data.name",
    "Hi ${data.name} {{data.name}",
    "Hi *|NAME|* {{ *|NAME|* }}",
    "Hi <%= name %> {{= name }}",
    "Hi {{#if name}}there{{/if}}",
    "Hi {{> footer}}",
    "Hi {{&data.name}}",
    "Hi {% render 'footer' %}",
    "Hi {% render data.name %}",
    "Hi {% include 'footer' %}",
    "Hi {%- if data.name -%",
    "{{ data.name\n}} {{ data\n.nothing }",
]
# made to get braces out
HOSTILE = [
    "{% raw %}{{ data.name }}{% endraw %}",
    "{% comment %}{% endcomment %}{% raw %}{{{% endraw %}",
    "{{ '{' }}{{ '{' }} x {{ '}' }}{{ '}' }}",
    "{{ '{' | append: '{' }}",
    "{{ '{' | append: '%' }}",
    "{% assign a = '{' %}{{ a }}{{ a }}",
    "{% capture a %}{{ '{' }}{% endcapture %}{{ a | append: a }}",
    "{{ '%7B%7B' | url_decode }}",
    "{{ '%7B%25' | url_decode }}",
    "{{ 'e3s=' | base64_decode }}",
    "{{ 'e3sgbmFtZSB9fQ==' | base64_decode }}",
    "{{ 'x x' | replace: 'x', '{' | remove: ' ' }}",
    "{{ '{ {' | remove: ' ' }}",
    "{{ '{,{' | split: ',' | join: '' }}",
    "{{ '{a{' | remove: 'a' }}",
    "{{ '&#123;&#123;' | strip_html }}",
    "{{ '{<b></b>{' | strip_html }}",
    "{{ '}{' | split: '' | reverse | join: '{' }}",
    "{{ '{x' | replace: 'x', '{' }}",
    "{{ '{' | prepend: '{' | upcase }}",
    "{% for a in (1..2) %}{{ '{' }}{% endfor %}",
    "{% cycle '{', '{' %}{% cycle '{', '{' %}",
    "{{ 'ab' | slice: 0 | replace: 'a', '{' }}{{ '{' }}",
    "{{ '{\\n{' | strip_newlines }}",
    "{{ '{ { ' | split: ' ' | join }}",
    "{% if true %}{{ '{' }}{% endif %}{{ '%' }} x %",
    "&#123;&#123; data.name &#125;&#125;",
    "&lbrace;&lbrace; data.name &rbrace;&rbrace;",
    "{<!-- -->{ data.name }<!-- -->}",
    "{<b></b>{ data.name }<b></b>}",
    "{\u200b{ data.name }}",
    "{\x00{ data.name }\x00}",
    "\ud800{{ data.name }",
    "Hi {{ data.name | truncate: }}",
    "Hi {{ data.name }}}",
    "{\x01{ data.name }\x01}",
    "{\x7f% if data.name %\x7f}",
    "&#x7B;&#0123;{{ data.name }}",
    "{&#37; if %}",
    "{{ data.name }}{",
    "{ {{ data.name }}{ x",
    "<a href='{{ data.url'>x</a>",
    "<a href='{{ data.url }}{'>{x</a>",
    "<style>a{b:c}}</style>{{ data.name",
    "<script>{{ data.name }}{ {</script>",
    "<!-- {{ data.name -->",
    "<table>{% for x in data.list %}<tr></tr>{% endfor %</table>",
]
CORPUS = FORGOTTEN + HOSTILE
DATA: Mapping[str, Any] = {"name": "Rosa", "id": "A-1", "url": "https://acme.example", "list": ["a", "b"]}
WEIRD: list[Mapping[str, Any]] = [
    {},
    {"name": None, "id": [], "url": {}, "list": "abc"},
    {"name": {"first": {"last": "x"}}, "list": [[{}]], "id": True, "url": 0.5},
    {"name": "{", "id": "{", "list": ["{", "}"], "url": "{"},
]
OUTER = layout("<html><body>{{ content }}{</body></html>", "{{ content }}{")


def sources(text: str) -> Iterator[tuple[Source, Version | None]]:
    """`text` in each field that an author writes."""
    for name in ("title", "body", "action_url", "collapse_id"):
        fields = {"title": "T", "body": "B", name: text}
        yield Source(Channel.PUSH, "", fields), None
    for name in ("subject", "preheader", "html", "text"):
        fields = {"subject": "S", "html": "<p>H</p>", name: text}
        yield Source(Channel.EMAIL, "", fields), None
        yield Source(Channel.EMAIL, "", fields), OUTER
    yield (
        Source(
            Channel.EMAIL, "", {"subject": "S", "html": f"<mjml><mj-body><mj-text>{text}</mj-text></mj-body></mjml>"}
        ),
        None,
    )
    yield Source(Channel.SMS, "", {"body": text}), None
    yield Source(Channel.IN_APP, "", {"title": text, "body": text}), None


def leaving(source: Source, outer: Version | None) -> Iterator[tuple[str, str]]:
    """(field, text) of all that would be sent, whatever the data is: also if nobody had proven it with a sample."""
    proven = proof(source, layout=outer, sample=DATA)
    compiled = proven.compiled[0]
    content = Content(Version(VERSION, 1, [(source.channel, "", compiled)]), outer)
    for data in (DATA, *WEIRD):
        context = context_of(tenant=ACME, recipient=ROSA, event_type="", data=data)
        short = excerpt(content, channel=source.channel, locales=("",), context=context)
        yield from zip(("title", "body", "url"), short or (), strict=False)
        try:
            said = render(content, channel=source.channel, locales=locale_chain("", "en"), context=context)
        except RenderError as error:
            assert error.detail
            continue
        yield from said.content.items()


def test_the_corpus_is_large_and_each_of_it_is_another() -> None:
    assert len(set(CORPUS)) == len(CORPUS) == 94


@pytest.fixture(autouse=True)
def no_partials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.templates.proving.partials", lambda tenant, keys: {})


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_no_brace_of_a_template_leaves(text: str) -> None:
    for source, outer in sources(text):
        for name, said in leaving(source, outer):
            shown = html.unescape(said) if name == "html" else said
            assert "{{" not in said and "{%" not in said, (source, name)
            assert "{{" not in shown and "{%" not in shown, (source, name)


@pytest.mark.parametrize("text", FORGOTTEN, ids=range(len(FORGOTTEN)))
def test_what_was_forgotten_is_refused_with_its_place(text: str) -> None:
    for source, outer in sources(text):
        if source.content.get("html", "").startswith("<mjml"):
            continue
        errors = proof(source, layout=outer, sample=DATA).errors
        assert errors, source
        assert all(error.line and error.column for error in errors), (source, errors)
