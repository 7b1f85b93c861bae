"""Templates made to eat time or memory are stopped, each well within a second, also on a busy machine."""

import resource
from collections.abc import Iterator
from time import process_time

import pytest

from apps.templates.engine import parse, run
from apps.templates.faults import Fault, RenderError

LOOP, END = "{% for a in (1..10000) %}", "{% endfor %}"
LONG = "{% assign s = '" + "a" * 1_500 + "' %}" + "{% assign s = s | append: s %}" * 6
DATA = {"data": {"at": "2026-03-29T08:30:00Z", "big": "x" * 200_000, "list": list(range(9_000))}}

BOMBS = {
    "a long range": "{% for a in (1..100000000) %}x{% endfor %}",
    "a range made a list": "{% for a in (1..100000000000) reversed %}{% endfor %}",
    "a range of a variable": "{% assign n = 99999999999 %}{% for i in (1..n) reversed %}{% endfor %}",
    "nested loops": LOOP * 5 + "x" + END * 5,
    "nested loops with empty bodies": LOOP * 5 + END * 5,
    "many small nested loops": "{% for a in (1..100) %}" * 20 + END * 20,
    "loops in a row": (LOOP + END) * 300,
    "loops over data": "{% for a in data.list %}{% for b in data.list %}{% endfor %}{% endfor %}",
    "a loop with a huge body": LOOP + "{% if true %}{% endif %}" * 5_000 + END,
    "doubling a variable": "{% assign s = 'aaaaaaaa' %}" + LOOP + "{% assign s = s | append: s %}" + END,
    "doubling a list": "{% assign s = 'a,b' | split: ',' %}" + LOOP + "{% assign s = s | concat: s %}" + END,
    "doubling a number": "{% assign x = 99999999 %}" + LOOP + "{% assign x = x | times: x %}" + END,
    "replacing within one expression": "{{ 'aaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaaaaaaaaaaaaaa'" * 20 + " }}",
    "replacing nothing": "{{ 'a'" + " | replace: '', 'aaaaaaaaaaaaaaaaaaaa'" * 20 + " }}",
    "replacing each letter by a long text": LONG + "{{ s | replace: 'a', s | size }}",
    "encoding again and again": "{{ 'a'" + " | base64_encode" * 80 + " }}",
    "joining with a long separator": LONG + "{{ data.list | join: s }}",
    "large output": LOOP + "z" * 1_000 + END,
    "large captures": LOOP + "{% capture a %}" + "z" * 100_000 + "{% endcapture %}" + END,
    "work on a large variable": LONG + LOOP + "{% assign t = s | url_encode | size %}" + END,
    "work on large data": LOOP + "{% assign t = data.big | upcase | size %}" + END,
    "searching a large variable": LONG + LOOP + "{% if s contains 'aaaaaaaaaaaaaab' %}{% endif %}" + END,
    "comparing all with all": "{% assign u = data.list | uniq %}",
    "sorting again and again": LOOP + "{% assign u = data.list | sort %}" + END,
    "formatting again and again": LOOP + "{% assign t = data.at | datetime: 'full' %}" * 30 + END,
    "a strange width": "{{ data.at | date: '%1000000000d' }}",
    "many variables": "".join(f"{{% assign a{n} = 1 %}}" for n in range(8_000)),
    "deep blocks": "{% if true %}" * 40 + "{% endif %}" * 40,
    "unclosed outputs": "{{" * 70_000,
    "unclosed outputs in a comment": "{% comment %}" + "{{" * 70_000,
    "a gap in an output": "{{" + " " * 140_000 + "}}",
    "a gap in a tag": "{% if" + " " * 140_000 + "%}",
    "a long tag": "{{ a" + " | append: a" * 10_000 + " }}",
    "searching a range": "{% if (1..100000000000) contains 'x' %}{% endif %}",
    "listing a range": "{{ (1..1000000000) | join }}",
    "deep brackets": "{{ " + "a[" * 400 + "]" * 400 + " }}",
}


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """A bomb that goes off must fail its test, not the machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (6 * 1024**3, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("is_html", [False, True])
def test_it_stops(name: str, is_html: bool) -> None:
    began = process_time()
    with pytest.raises(RenderError) as caught:
        run(parse(BOMBS[name], is_html=is_html), DATA)
    assert process_time() - began < 5
    assert caught.value.code in {Fault.LIMIT, Fault.SYNTAX, Fault.BRACES, Fault.WRONG_VALUE}


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ((LOOP + END) * 2, "Its loops run more than 10,000 times."),
        (LOOP + "{% if a %}{% endif %}" * 20 + END, "It takes too many steps."),
        (LOOP + "z" * 51 + END, "It writes more than 500,000 characters."),
        (LONG + "{% assign s = s | append: s | append: s %}", "Its variables are too large."),
        (LONG + "{{ s | replace: 'a', s }}", "`replace` makes too long a text."),
    ],
)
def test_it_says_which_limit(source: str, detail: str) -> None:
    with pytest.raises(RenderError) as caught:
        run(parse(source), DATA)
    assert (caught.value.code, caught.value.detail) == (Fault.LIMIT, detail)


def test_it_lets_ordinary_work_through() -> None:
    data = {"data": {"items": [{"title": f"Thing {n}", "price": n} for n in range(500)]}}
    source = "{% for i in data.items %}{{ i.title | upcase }} {{ i.price | times: 2 }}\n{% endfor %}"
    assert run(parse(source), data).splitlines()[499] == "THING 499 998"
