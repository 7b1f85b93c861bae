"""What may not be published, and where it is wrong."""

from typing import Any

import pytest

from apps.core.enums import Channel
from apps.core.problem_codes import Code
from apps.core.problems import FieldError
from apps.templates.faults import Fault
from apps.templates.proving import Source
from tests.unit.templates_cast import content, email, layout, proof, sms


def places(*sources: Source, **options: Any) -> list[tuple[str, str, int | None, int | None]]:
    return [(error.pointer, error.code, error.line, error.column) for error in proof(*sources, **options).errors]


def test_it_proves_a_good_template() -> None:
    result = proof(sms("Order {{ data.id }}"), email("<p>{{ data.id }}</p>"), sample={"id": 7})
    assert result.errors == ()
    assert result.compiled[0] == {"body": "Order {{ data.id }}"}
    assert set(result.compiled[1]) == {"subject", "html", "html_marks", "text"}
    assert result.compiled[1]["text"] == "{{ data.id }}"


def test_it_names_every_place_that_is_wrong() -> None:
    assert places(
        sms("Hi {{ name }"),
        Source(Channel.PUSH, "", {"title": "a{{ data.x }", "body": "\n{% if data.x %}"}),
        sms("\nHallo {{ data.nome }}", "de"),
        email("<p>\n{{ data.id | upcse }}</p>"),
        sample={"x": 1},
    ) == [
        ("/variants/0/body", Fault.BRACES, 1, 4),
        ("/variants/1/title", Fault.BRACES, 1, 2),
        ("/variants/1/body", Fault.SYNTAX, 2, 1),
        ("/variants/3/html", Fault.SYNTAX, 2, 14),
        ("/variants/2/body", Fault.MISSING_DATA, 2, 10),
    ]


def test_it_finds_what_the_sample_does_not_reach() -> None:
    source = "{% if data.x %}a{% else %}{{ data.y | upcse }}{% endif %}"
    assert places(sms(source), sample={"x": 1}) == [("/variants/0/body", Fault.SYNTAX, 1, 39)]
    source = "{% if data.x %}a{% else %}{{ order.total }}{% endif %}"
    assert proof(sms(source), sample={"x": 1}).errors == (
        FieldError("/variants/0/body", Fault.SYNTAX, "There is no `order` here; data is `data.order`.", 1, 30),
    )


def test_it_finds_it_in_html_too() -> None:
    source = "<style>p{color:red}</style>\n<p>{% if data.x %}a{% else %}\n {{ order.total }}{% endif %}</p>"
    assert places(email(source), sample={"x": 1}) == [("/variants/0/html", Fault.SYNTAX, 3, 5)]


def test_own_variables_are_known() -> None:
    source = "{% assign a = 1 %}{% for i in data.x %}{{ i }}{{ forloop.index }}{{ a }}{% endfor %}{% increment n %}"
    assert proof(sms(source), sample={"x": [1]}).errors == ()


def test_required_fields_are_required() -> None:
    assert places(email(""), Source(Channel.IN_APP, "", {"title": " "}), sms("")) == [
        ("/variants/0/html", Fault.EMPTY, None, None),
        ("/variants/1/title", Fault.EMPTY, None, None),
        ("/variants/1/body", Fault.EMPTY, None, None),
        ("/variants/2/body", Fault.EMPTY, None, None),
    ]


def test_something_must_be_published() -> None:
    assert places() == [("/variants", Fault.EMPTY, None, None)]


@pytest.mark.parametrize(
    ("source", "field", "detail"),
    [
        (sms("a" * 1_531), "body", "This takes 11 SMS segments; 10 are the most."),
        (sms("ç" + "a" * 670), "body", "This takes 11 SMS segments; 10 are the most."),
        (email("<p>x</p>", subject="a" * 256), "subject", "This is longer than 255 characters."),
        (email("<p>x</p>", subject="a\nb"), "subject", "This must be a single line."),
        (
            Source(Channel.PUSH, "", {"title": "t", "body": "a" * 4_096}),
            "body",
            "The push payload has 4119 bytes; 3700 are the most.",
        ),
    ],
)
def test_it_refuses_what_is_too_long(source: Source, field: str, detail: str) -> None:
    assert proof(source).errors == (FieldError(f"/variants/0/{field}", Fault.TOO_LONG, detail),)


def test_the_sample_may_have_a_person() -> None:
    source = sms("{{ recipient.first_name }} {{ recipient.timezone }} {{ data.x }}")
    assert places(source, sample={"x": 1}) == [("/variants/0/body", Fault.MISSING_DATA, 1, 4)]
    assert proof(source, sample={"x": 1, "$recipient": {"first_name": "Rosa"}}).errors == ()


def test_a_layout_has_its_content_once_and_is_for_email() -> None:
    assert places(email("<p>x</p>"), is_layout=True) == [("/variants/0/html", Fault.LAYOUT, None, None)]
    assert places(email("{{ content }}{{ content }}"), is_layout=True) == [
        ("/variants/0/html", Fault.LAYOUT, None, None)
    ]
    assert places(sms("{{ content }}"), is_layout=True) == [("/variants/0/channel", Fault.LAYOUT, None, None)]
    assert places(email("<p>{{ content }}</p>")) == [("/variants/0/html", Fault.SYNTAX, 1, 7)]


def test_a_fault_of_the_layout_is_found_with_the_template() -> None:
    outer = layout("{% if data.vip %}{{ data.vip.level }}{% endif %}{{ content }}")
    assert content(email("<p>x</p>"), layout=outer).layout is outer
    assert places(email("<p>x</p>"), layout=outer, sample={"vip": {"rank": 1}}) == [
        ("/variants/0/html", Fault.MISSING_DATA, 1, 21)
    ]


def test_every_fault_is_documented_as_a_code() -> None:
    assert {fault.value for fault in Fault} <= {code.value for code in Code}
