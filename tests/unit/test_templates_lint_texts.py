"""What is said about SMS, push and in-app messages: the parts, and the very character that costs one."""

import pytest

from apps.core.enums import Category, Channel
from apps.templates.linting import Finding, Severity, lint
from apps.templates.linting.texts import stand_in
from apps.templates.sms import count


def codes(channel: Channel, category: Category | None = None, **content: str) -> list[tuple[str, str, str]]:
    return [(one.severity.value, one.code, one.field) for one in lint(content, channel, category)]


def only(code: str, found: list[Finding]) -> Finding:
    (one,) = [each for each in found if each.code == code]
    return one


def test_the_character_that_costs_parts_is_named_with_its_place_and_its_stand_in() -> None:
    body = "It is here:\nnow isn\u2019t it" + "x" * 120
    one = only("not_gsm7", lint({"body": body}, Channel.SMS))
    assert one.text == ("`\u2019` (U+2019) at line 2, column 8 makes it 3 parts instead of 1: it is not in GSM-7.")
    assert (one.severity, one.field, one.line, one.column) == (Severity.WARNING, "body", 2, 8)
    assert (one.found, one.replacement) == ("\u2019", "'")
    assert (count(body).segments, count(body.replace(one.found, "'")).segments) == (3, 1)


def test_several_of_them_are_told_apart_and_counted_together() -> None:
    found = [one for one in lint({"body": "\u201cYes\u201d" + "x" * 100}, Channel.SMS) if one.code == "not_gsm7"]
    assert [(one.found, one.column) for one in found] == [("\u201c", 1), ("\u201d", 5)]
    assert all("2 parts instead of 1 together with 1 other:" in one.text for one in found)


def test_a_short_text_loses_nothing_by_it_yet() -> None:
    one = only("not_gsm7", lint({"body": "Isn\u2019t it"}, Channel.SMS))
    assert one.severity is Severity.INFO
    assert one.text.endswith("is not in GSM-7: a part holds 70 characters instead of 160.")


def test_what_the_data_brings_is_said_to_come_from_the_data() -> None:
    rendered = {"body": "Hello Bj\u0151rk" + "x" * 100}
    one = only("not_gsm7", lint({"body": "Hello {{ data.name }}" + "x" * 100}, Channel.SMS, rendered=rendered))
    assert one.text.startswith("`\u0151` (U+0151) from the data makes it 2 parts instead of 1")
    assert (one.line, one.column, one.replacement) == (None, None, None)


def test_a_character_within_a_tag_has_its_place_too() -> None:
    body = "{{ data.name | default: '\u2026' }}"
    one = only("not_gsm7", lint({"body": body}, Channel.SMS, rendered={"body": "\u2026"}))
    assert (one.line, one.column, one.replacement) == (1, 26, "...")


def test_the_place_in_the_text_is_told_before_one_in_a_tag() -> None:
    body = "{{ data.name | default: '\u2026' }} wait\u2026"
    assert only("not_gsm7", lint({"body": body}, Channel.SMS, rendered={"body": "Zoe wait\u2026"})).column == 36


def test_another_alphabet_is_no_mistake() -> None:
    assert codes(Channel.SMS, body="\u041f\u0440\u0438\u0432\u0435\u0442") == [
        ("info", "sms_parts", "body"),
        ("info", "unicode_alphabet", "body"),
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("x" * 160, "1 part: 160 of 160 GSM-7 characters."),
        ("x" * 161, "2 parts: 161 of 306 GSM-7 characters."),
        ("\u20ac" * 80, "1 part: 160 of 160 GSM-7 characters."),
        ("\u0416" * 71, "2 parts: 71 of 134 Unicode characters."),
        ("Hi {{ data.x }}!", "At least 1 part: 4 of 160 GSM-7 characters."),
    ],
)
def test_parts_are_counted(body: str, said: str) -> None:
    assert only("sms_parts", lint({"body": body}, Channel.SMS)).text == said


def test_parts_are_those_of_what_is_rendered() -> None:
    found = lint({"body": "{{ data.x }}"}, Channel.SMS, rendered={"body": "y" * 500})
    assert [(one.severity.value, one.text) for one in found] == [("warning", "4 parts: 500 of 612 GSM-7 characters.")]
    (one,) = lint({"body": "z" * 1531}, Channel.SMS)
    assert (one.code, one.severity, one.text) == ("too_many_parts", Severity.ERROR, "11 parts; 10 are the most.")
    assert lint({"body": ""}, Channel.SMS) == []


def test_marketing_says_how_it_ends() -> None:
    assert ("warning", "no_stop_words", "body") in codes(Channel.SMS, Category.MARKETING, body="Sale!")
    for body in ("Sale! Reply STOP", "Sale! {{ vars.unsubscribe_url }}"):
        assert codes(Channel.SMS, Category.MARKETING, body=body)[0][1] == "sms_parts"
    assert codes(Channel.SMS, Category.TRANSACTIONAL, body="Sale!") == [("info", "sms_parts", "body")]


@pytest.mark.parametrize(
    ("char", "put"),
    [
        *[("\u2019", "'"), ("\u2014", "-"), ("\u00a0", " "), ("\u2026", "..."), ("\u0119", "e"), ("\u00e7", "c")],
        *[("\U0001f600", ""), ("\u0416", None), ("\u4e2d", None), ("\u200b", "")],
    ],
)
def test_stand_ins(char: str, put: str | None) -> None:
    assert stand_in(char) == put


def test_push_payloads_have_a_limit() -> None:
    (one, _) = lint({"title": "T", "body": "x" * 3_680}, Channel.PUSH)
    assert (one.code, one.severity) == ("push_too_large", Severity.ERROR)
    assert one.text.startswith("It has 3,703 bytes; 3,700 are the most: FCM and APNs take 4,096, Web Push 3,993,")
    assert codes(Channel.PUSH, title="T", body="x" * 3_300)[0] == ("warning", "push_nearly_too_large", "body")
    assert codes(Channel.PUSH, title="T", body="x" * 178) == []
    assert codes(Channel.PUSH, title="T" * 51, body="x" * 179) == [
        ("info", "long_title", "title"),
        ("info", "long_body", "body"),
    ]


@pytest.mark.parametrize(
    ("name", "link", "wanted"),
    [
        ("action_url", "/orders", [("error", "link_not_absolute", "action_url")]),
        ("action_url", "javascript:x", [("error", "unsafe_link", "action_url")]),
        ("action_url", "http://a.example", [("warning", "link_not_https", "action_url")]),
        ("action_url", "acme://orders", []),
        ("action_url", "https://a.example", []),
        ("action_url", "{{ data.url }}", []),
        ("image_url", "acme://orders", [("warning", "link_not_https", "image_url")]),
        ("image_url", "https://a.example/x.png", []),
    ],
)
def test_links_of_a_push(name: str, link: str, wanted: list[tuple[str, str, str]]) -> None:
    assert codes(Channel.PUSH, **{"title": "T", "body": "B", name: link}) == wanted


def test_in_app_links_may_lead_within_the_app() -> None:
    assert codes(Channel.IN_APP, title="T", body="B", action_url="/orders") == []
    assert codes(Channel.IN_APP, title="T", body="B", action_url="javascript:x") == [
        ("error", "unsafe_link", "action_url")
    ]
