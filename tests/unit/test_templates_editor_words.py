"""What the editor knows of a template: its variables, what was meant, who falls back to what, and how a mail looks elsewhere."""

from collections.abc import Mapping
from typing import Any

import pytest

from apps.core.enums import Category, Channel
from apps.templates.content import FIELDS, LAYOUT_FIELDS
from apps.templates.coverage import fallbacks
from apps.templates.dressing import Look, dressed, knows_dark
from apps.templates.linting import Finding
from apps.templates.proving import Source
from apps.templates.trying import Kind, Trial, try_source
from apps.templates.variables import has, known_names, variables_of
from tests.unit.templates_cast import ACME, ROSA

SAMPLE = {"order": {"id": "A-1", "total": 12}, "items": [{"name": "Mug"}], "$recipient": {"first_name": "Zoe"}}


def tried(body: str, sample: Mapping[str, Any] = SAMPLE, **options: Any) -> Trial:
    source = Source(Channel.SMS, "", {"body": body})
    return try_source(tenant=ACME, source=source, kind=Kind(), sample=sample, **options)


def first(body: str) -> Finding:
    return tried(body).findings[0]


class TestVariables:
    def test_they_are_named_with_the_fields_that_name_them(self) -> None:
        content = {
            "subject": "{{ data.order.id }}",
            "html": "{% for i in data.items %}{{ i.name }}{{ forloop.index }}{% endfor %}{{ data.order.id }}"
            "{{ data.items[0].name }}{{ data['a b'] }}{{ data[recipient.key] }}{% assign x = 1 %}{{ x }}",
            "text": "{{ broken",
        }
        found = [(one.name, one.fields) for one in variables_of(content, FIELDS[Channel.EMAIL])]
        assert found == [
            ("data", ("html",)),
            ("data.items", ("html",)),
            ("data.items[0].name", ("html",)),
            ("data.order.id", ("subject", "html")),
            ("data['a b']", ("html",)),
            ("recipient.key", ("html",)),
        ]

    def test_what_a_layout_is_given_is_no_variable(self) -> None:
        assert variables_of({"html": "{{ content }}{{ preheader }}"}, LAYOUT_FIELDS) == []

    @pytest.mark.parametrize(
        ("path", "is_there"),
        [
            (("data", "order", "id"), True),
            (("data", "order", "totl"), False),
            (("data", "items", 0, "name"), True),
            (("data", "items", 1, "name"), False),
            (("data", "items", "first", "name"), True),
            (("data", "items", "size"), True),
            (("data", "nothing"), False),
            (("data", "order", "id", "x"), False),
        ],
    )
    def test_data_has_them_or_lacks_them(self, path: tuple[str | int, ...], is_there: bool) -> None:
        assert has({"data": {**SAMPLE, "nothing": None}}, path) is is_there

    def test_names_that_may_be_written(self) -> None:
        found = known_names({"data": SAMPLE, "user": {"a": 1}, "recipient": {"first_name": "Zoe", "a b": 1}})
        assert "data.items" in found
        assert "data.items[0].name" in found
        assert found[-2:] == ["recipient.first_name", "recipient['a b']"]


class TestMeaning:
    @pytest.mark.parametrize(
        ("body", "said", "found", "put"),
        [
            ("{{ data.order.id | upcse }}", "There is no filter `upcse`. Did you mean `upcase`?", "upcse", "upcase"),
            (
                "{{ data.order.totl }}",
                "`data.order.totl` is missing. Did you mean `data.order.total`?",
                "data.order.totl",
                "data.order.total",
            ),
            (
                "{{ order.id }}",
                "There is no `order` here; data is `data.order`. Did you mean `data.order`?",
                "order",
                "data.order",
            ),
            (
                "{{ recipent.first_name }}",
                "There is no `recipent` here; data is `data.recipent`. Did you mean `recipient`?",
                "recipent",
                "recipient",
            ),
            ("{% if 1 %}{% esle %}{% endif %}", "Unexpected tag 'esle'. Did you mean `else`?", "esle", "else"),
        ],
    )
    def test_it_says_what_comes_close(self, body: str, said: str, found: str, put: str) -> None:
        one = first(f"Hi\n {body}")
        assert (one.text, one.found, one.replacement, one.line) == (said, found, put, 2)
        assert one.column is not None
        assert f" {body}"[one.column - 1 :].startswith(found)

    def test_what_it_offers_works(self) -> None:
        one = first("{{ data.order.totl }}")
        assert tried("{{ data.order.totl }}".replace(one.found, one.replacement or "")).rendered is not None

    @pytest.mark.parametrize("body", ["{{ data.zzz }}", "{{ data.order.id | frobnicate }}"])
    def test_nothing_is_offered_where_nothing_comes_close(self, body: str) -> None:
        one = first(body)
        assert "Did you mean" not in one.text
        assert (one.found, one.replacement) == ("", None)

    def test_attributes_may_have_a_default(self) -> None:
        assert "default" in first("{{ recipient.nickname }}").text


class TestTrying:
    def test_a_real_person_stands_in_for_the_sample(self) -> None:
        body = "{{ recipient.first_name }} {{ recipient.locale }} {{ data.order.id }}"
        shown = tried(body, person=ROSA).rendered
        assert shown is not None
        assert shown.content == {"body": "Rosa de-CH A-1"}
        sample = tried(body).rendered
        assert sample is not None
        assert sample.content == {"body": "Zoe en A-1"}

    def test_attributes_without_a_default_are_told(self) -> None:
        found = tried(
            "{{ recipient.first_name }} {{ recipient.first_name }} {{ recipient.city | default: 'x' }}"
        ).findings
        assert [(one.code, one.field, one.column) for one in found if one.code == "no_default"] == [
            ("no_default", "body", 4)
        ]

    def test_errors_come_before_remarks(self) -> None:
        found = tried("{{ data.nix }} isn\u2019t").findings
        assert [one.code for one in found] == ["missing_data", "sms_parts", "not_gsm7"]

    def test_the_category_decides_what_must_be_said(self) -> None:
        source = Source(Channel.SMS, "", {"body": "Sale"})
        kind = Kind(category=Category.MARKETING)
        found = try_source(tenant=ACME, source=source, kind=kind, sample={}).findings
        assert [one.code for one in found] == ["no_stop_words", "sms_parts"]

    def test_a_layout_and_a_partial_are_tried_as_such(self) -> None:
        outer = Source(Channel.EMAIL, "", {"html": '<html lang="en" dir="ltr"><body>{{ content }}</body></html>'})
        shown = try_source(tenant=ACME, source=outer, kind=Kind(is_layout=True), sample={}).rendered
        assert shown is not None
        assert "<p>Sample</p>" in shown.content["html"]
        piece = Source(Channel.SMS, "", {"body": "Bye {{ who }}"})
        said = try_source(tenant=ACME, source=piece, kind=Kind(is_partial=True), sample={"$given": {"who": "Zoe"}})
        assert said.rendered is not None
        assert said.rendered.content["body"] == "Bye Zoe"


class TestFallbacks:
    def said(self, variants: list[str], people: dict[str, int], tenant_locale: str = "en") -> list[str]:
        return [one.text for one in fallbacks(variants, people, tenant_locale)]

    def test_people_get_another_language(self) -> None:
        people = {"fr": 200, "fr-CH": 12, "de-CH": 5, "en": 50, "": 9, "it": 1}
        assert self.said(["en", "de"], people) == [
            "fr missing: 212 recipients will get en",
            "it missing: 1 recipient will get en",
        ]

    def test_the_default_stands_for_the_tenants_language(self) -> None:
        people = {"fr": 2, "en-GB": 50}
        assert self.said(["", "fr"], people) == []
        assert self.said(["de-CH", "en-GB"], {"de-CH": 5, "en-GB": 1}) == []
        assert self.said([""], people) == ["fr missing: 2 recipients will get the default"]
        assert self.said(["", "de"], {"en": 1_500}, "de") == ["en missing: 1,500 recipients will get de"]

    def test_without_any_they_get_nothing(self) -> None:
        assert self.said(["de"], {"fr": 2, "de": 3}) == ["fr missing: 2 recipients will get nothing"]


class TestLooks:
    MAIL = "<html><head><style>@media (prefers-color-scheme:dark){p{color:#fff}}@media (Prefers-Color-Scheme : light){}</style>"

    def test_nothing_runs_and_nothing_but_pictures_is_loaded(self) -> None:
        text = dressed("<p>x", Look.LIGHT)
        assert "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:\"" in text
        assert "img-src 'none'" in dressed("<p>x", Look.BARE)
        assert dressed("", Look.LIGHT) == ""

    def test_the_rules_of_the_night_hold_in_the_dark_only(self) -> None:
        night = dressed(self.MAIL, Look.DARK)
        assert "@media (min-width: 0){p{color:#fff}}@media (max-width: 0){}" in night
        assert "color-scheme: dark" in night
        assert "@media (max-width: 0){p{color:#fff}}@media (min-width: 0){}" in dressed(self.MAIL, Look.LIGHT)

    @pytest.mark.parametrize(
        ("html", "knows"),
        [
            ('<meta name="color-scheme" content="light dark">', True),
            ("<meta content='light' name=supported-color-schemes>", True),
            (MAIL, True),
            ("<p style='color: #111'>scheme", False),
        ],
    )
    def test_it_tells_whether_a_mail_knows_of_dark_mode(self, html: str, knows: bool) -> None:
        assert knows_dark(html) is knows

    def test_colours_turn_around_and_pictures_do_not(self) -> None:
        assert dressed("<p>x", Look.INVERTED).count("invert(1) hue-rotate(180deg)") == 2

    def test_it_runs_from_right_to_left(self) -> None:
        assert dressed('<html dir="ltr"><p>x', Look.LIGHT, is_rtl=True).startswith('<!doctype html><html dir="rtl">')
