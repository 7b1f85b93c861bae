"""What leaves on each channel."""

from uuid import UUID

import pytest
from msgspec import structs

from apps.core.enums import Channel, Reason
from apps.templates.faults import Fault, RenderError
from apps.templates.proving import Source
from apps.templates.rendering import context_of, locale_chain, render_inline
from tests.unit.templates_cast import ACME, ROSA, VERSION, content, email, layout, rendered, sms


@pytest.mark.parametrize(
    ("recipient", "tenant", "chain"),
    [
        ("de-CH", "en", ("de-CH", "de", "en", "")),
        ("de-CH", "de", ("de-CH", "de", "")),
        ("zh-hant-TW", "en-GB", ("zh-Hant-TW", "zh-Hant", "zh", "en-GB", "en", "")),
        ("pt_BR", "en", ("pt-BR", "pt", "en", "")),
        ("", "en", ("en", "")),
        ("nonsense-locale", "en", ("en", "")),
    ],
)
def test_it_tries_locales_from_near_to_far(recipient: str, tenant: str, chain: tuple[str, ...]) -> None:
    assert locale_chain(recipient, tenant) == chain


def test_it_takes_the_nearest_variant() -> None:
    what = content(sms("Hello"), sms("Hallo", "de"), sms("Bonjour", "fr"))
    assert rendered(what, Channel.SMS, {}).content == {"body": "Hallo"}
    assert rendered(what, Channel.SMS, {}).locale == "de"
    assert rendered(what, Channel.SMS, {}, structs.replace(ROSA, locale="fr-CA")).content == {"body": "Bonjour"}
    assert rendered(what, Channel.SMS, {}, structs.replace(ROSA, locale="ja")).locale == ""
    assert what.channels == {Channel.SMS}


def test_it_says_which_version_and_how_large() -> None:
    result = rendered(
        content(sms("Grüezi {{ user.first_name }}"), sample={"$recipient": {"first_name": "Mira"}}), Channel.SMS, {}
    )
    assert (result.template_version_id, result.version, result.size) == (VERSION, 3, 12)


def test_it_has_no_content_for_a_channel() -> None:
    with pytest.raises(RenderError) as caught:
        rendered(content(sms("Hello")), Channel.EMAIL, {})
    assert caught.value.code is Fault.NO_TEMPLATE
    assert caught.value.reason is Reason.NO_TEMPLATE


def test_missing_data_is_an_error_with_its_field_and_place() -> None:
    with pytest.raises(RenderError) as caught:
        rendered(content(sms("Order\n {{ data.id }}"), sample={"id": 1}), Channel.SMS, {})
    error = caught.value
    assert (error.code, error.field, error.line, error.column) == (Fault.MISSING_DATA, "body", 2, 5)
    assert error.detail == "`data.id` is missing."
    assert error.reason is Reason.TEMPLATE_ERROR


def test_in_html_the_place_is_the_authors() -> None:
    source = "<style>\np{color:red}</style>\n<p>Hi</p>\n<p class='a'>\n  {{ data.id }}</p>"
    with pytest.raises(RenderError) as caught:
        rendered(content(email(source), sample={"id": 1}), Channel.EMAIL, {})
    assert (caught.value.field, caught.value.line, caught.value.column) == ("html", 5, 6)


def test_a_subject_never_has_two_lines() -> None:
    what = content(email("<p>x</p>", subject="Order {{ data.id }}"), sample={"id": 1})
    evil = "1\r\nBcc: all@example.test\x00\x1b[0m\u2028\x85end"
    assert rendered(what, Channel.EMAIL, {"id": evil}).content["subject"] == "Order 1 Bcc: all@example.test[0m end"


def test_a_long_subject_is_cut_when_it_is_sent() -> None:
    what = content(email("<p>x</p>", subject="{{ data.id }}"), sample={"id": 1})
    subject = rendered(what, Channel.EMAIL, {"id": "é" * 300}).content["subject"]
    assert subject == "é" * 254 + "…"


def test_control_characters_leave_no_text() -> None:
    what = content(sms("{{ data.x }}"), sample={"x": 1})
    assert rendered(what, Channel.SMS, {"x": "a\x00b\r\nc\td\x1be\ud800"}).content == {"body": "ab\nc\tde"}


def test_braces_of_data_stay_as_they_are() -> None:
    what = content(sms("{{ data.x }}"), sample={"x": 1})
    assert rendered(what, Channel.SMS, {"x": "{{ data.y }} {% x"}).content == {"body": "{{ data.y }} {% x"}


def test_braces_that_a_template_makes_do_not_leave() -> None:
    what = content(sms("{{ '{' | append: data.x }}"), sample={"x": "a"})
    with pytest.raises(RenderError) as caught:
        rendered(what, Channel.SMS, {"x": "{ name }}"})
    assert caught.value.code is Fault.BRACES


def test_an_empty_required_field_is_an_error() -> None:
    what = content(Source(Channel.PUSH, "", {"title": "{{ data.x }}", "body": "b"}), sample={"x": 1})
    with pytest.raises(RenderError) as caught:
        rendered(what, Channel.PUSH, {"x": " \n"})
    assert (caught.value.code, caught.value.field) == (Fault.EMPTY, "title")


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        " JaVa\tScript:x",
        "\x01javascript:x",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
    ],
)
def test_it_refuses_links_that_run_code(link: str) -> None:
    push = content(
        Source(Channel.PUSH, "", {"title": "t", "body": "b", "action_url": "{{ data.url }}"}), sample={"url": "/a"}
    )
    mail = content(email('<a href="{{ data.url }}">x</a>'), sample={"url": "/a"})
    for what, channel in ((push, Channel.PUSH), (mail, Channel.EMAIL)):
        with pytest.raises(RenderError):
            rendered(what, channel, {"url": link})


def test_it_lets_other_links_through() -> None:
    push = content(
        Source(Channel.PUSH, "", {"title": "t", "body": "b", "action_url": "{{ data.url }}"}), sample={"url": "/a"}
    )
    for link in ("https://a.test/x?y=data:1", "acme://orders/1", "/orders/1", "mailto:a@b.test"):
        assert rendered(push, Channel.PUSH, {"url": link}).content["action_url"] == link


def test_a_payload_too_large_for_push_is_an_error() -> None:
    what = content(Source(Channel.PUSH, "", {"title": "t", "body": "{{ data.x }}"}), sample={"x": 1})
    assert rendered(what, Channel.PUSH, {"x": "a" * 3_677}).size == 3_678
    with pytest.raises(RenderError) as caught:
        rendered(what, Channel.PUSH, {"x": "é" * 1_900})
    assert (caught.value.code, caught.value.field) == (Fault.TOO_LONG, "body")


@pytest.mark.parametrize("badge", ["unread", "0", "12", ""])
def test_a_badge_is_a_number_or_the_persons_own(badge: str) -> None:
    what = content(Source(Channel.PUSH, "", {"title": "t", "body": "b", "badge": badge}), sample={})
    assert rendered(what, Channel.PUSH, {}).content.get("badge", "") == badge


@pytest.mark.parametrize("badge", ["new", "-1", "1.5", "1234567", "{{ data.x }}"])
def test_any_other_badge_is_an_error(badge: str) -> None:
    what = content(
        Source(Channel.PUSH, "", {"title": "t", "body": "b", "badge": "{{ data.badge }}"}), sample={"badge": 1}
    )
    with pytest.raises(RenderError) as caught:
        rendered(what, Channel.PUSH, {"badge": badge})
    assert (caught.value.code, caught.value.field) == (Fault.WRONG_VALUE, "badge")
    assert caught.value.detail == "`badge` must be a number, or `unread`."


def test_too_many_sms_segments_are_an_error() -> None:
    what = content(sms("{{ data.x }}"), sample={"x": 1})
    assert rendered(what, Channel.SMS, {"x": "a" * 1_530}).size == 1_530
    with pytest.raises(RenderError) as caught:
        rendered(what, Channel.SMS, {"x": "a" * 1_531})
    assert caught.value.detail == "This takes 11 SMS segments; 10 are the most."


def test_a_layout_wraps_both_parts() -> None:
    outer = layout(
        "<html><head><title>{{ tenant.name }}</title></head><body><main>{{ content }}</main><p>Bye</p></body></html>",
        text="{{ content }}\n--\n{{ tenant.name }}",
    )
    what = content(email("<p>{{ data.x }}</p>", preheader="Pre <{{ data.x }}>"), sample={"x": 1}, layout=outer)
    result = rendered(what, Channel.EMAIL, {"x": "a<b"}).content
    assert "<main><p>a&lt;b</p></main><p>Bye</p></body></html>" in result["html"]
    assert "<title>Acme</title>" in result["html"]
    assert 'overflow:hidden;mso-hide:all">Pre &lt;a&lt;b&gt;&#8199;' in result["html"]
    assert result["text"] == "a<b\n--\nAcme"
    assert result["preheader"] == "Pre <a<b>"


def test_without_a_preheader_nothing_is_hidden() -> None:
    html = rendered(content(email("<p>x</p>")), Channel.EMAIL, {}).content["html"]
    assert "<body><p>x</p></body>" in html


def test_it_makes_data_plain() -> None:
    context = context_of(
        tenant=ACME,
        recipient=ROSA,
        event_type="a.b",
        data={"id": UUID(int=1), "list": ("a",), "n": 1},
    )
    assert context["data"] == {"id": "00000000-0000-0000-0000-000000000001", "list": ("a",), "n": 1}
    assert context["recipient"] == {
        "first_name": "Rosa",
        "user_id": "rosa",
        "locale": "de-CH",
        "timezone": "Europe/Zurich",
    }
    assert context["user"] is context["recipient"]
    assert (context["tenant"], context["event"]) == ({"name": "Acme", "slug": "acme"}, {"type": "a.b", "object_id": ""})
    with pytest.raises(TypeError):
        context_of(tenant=ACME, recipient=ROSA, event_type="", data={"x": object()})


def test_attributes_do_not_replace_who_it_is() -> None:
    sly = structs.replace(ROSA, attributes={"user_id": "otto", "locale": "xx"}, locale="", timezone="")
    assert context_of(tenant=ACME, recipient=sly, event_type="", data={})["user"] == {
        "user_id": "rosa",
        "locale": "en",
        "timezone": "Europe/London",
    }


MESSAGE = {"title": "Your ride", "body": "Ben <3 arrives.\nIn {{ 3 }} min.\n\nBye"}


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (Channel.PUSH, {"title": "Your ride", "body": MESSAGE["body"]}),
        (Channel.IN_APP, {"title": "Your ride", "body": MESSAGE["body"]}),
        (Channel.SMS, {"body": MESSAGE["body"]}),
        (
            Channel.EMAIL,
            {
                "subject": "Your ride",
                "html": "<p>Ben &lt;3 arrives.<br>In {{ 3 }} min.</p><p>Bye</p>",
                "text": MESSAGE["body"],
            },
        ),
    ],
)
def test_an_inline_message_fits_every_channel(channel: Channel, expected: dict[str, str]) -> None:
    result = render_inline(MESSAGE, channel=channel)
    assert dict(result.content) == expected
    assert (result.template_version_id, result.version, result.locale) == (None, 0, "")


def test_an_inline_message_may_lack_either_half() -> None:
    assert render_inline({"body": "One\ntwo"}, channel=Channel.EMAIL).content["subject"] == "One"
    assert render_inline({"title": "Only this"}, channel=Channel.SMS).content == {"body": "Only this"}
    with pytest.raises(RenderError) as caught:
        render_inline({}, channel=Channel.PUSH)
    assert caught.value.code is Fault.EMPTY
