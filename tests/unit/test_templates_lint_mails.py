"""What is said about a mail, and where."""

import pytest

from apps.core.enums import Category, Channel
from apps.templates.linting import Finding, lint
from apps.templates.linting.colours import BLACK, WHITE, colour_of, contrast
from apps.templates.linting.walking import plain, without_liquid

OUT = '<a href="{{ vars.unsubscribe_url }}">Unsubscribe</a>'


def remarks(html: str, category: Category | None = None, **options: object) -> list[Finding]:
    """Without what every mail here would be told."""
    content = {"subject": "Order", "preheader": "On its way", "html": html, "text": f"{OUT} text"}
    return lint(content, Channel.EMAIL, category, **options)  # type: ignore[arg-type]


def told(html: str, category: Category | None = None, **options: object) -> list[tuple[str, int | None, int | None]]:
    return [(one.code, one.line, one.column) for one in remarks(html, category, **options)]


def test_a_good_mail_has_no_remark() -> None:
    html = (
        '<html lang="de" dir="ltr"><body><p style="color:#333">Hallo {{ recipient.first_name }}'
        f'<img src="https://a.example/x.png" alt=""> <a href="https://a.example">Bestellung ansehen</a> {OUT}'
    )
    assert told(html, Category.MARKETING, locale="de-CH") == []


@pytest.mark.parametrize(
    ("href", "code"),
    [
        ("/orders", "link_not_absolute"),
        ("www.a.example", "link_not_absolute"),
        ("", "link_not_absolute"),
        ("https:///x", "link_not_absolute"),
        ("http://a.example", "link_not_https"),
        ("javascript:alert(1)", "unsafe_link"),
        ("java&#115;cript:alert(1)", "unsafe_link"),
        ("https://a.example/?a=1&amp;b=2", None),
        ("{{ data.url }}", None),
        ("{% if data.x %}https://a.example{% endif %}", None),
        ("mailto:a@b.example", None),
        ("tel:+41", None),
        ("#top", None),
    ],
)
def test_links(href: str, code: str | None) -> None:
    assert told(f'<p>One\n two <a\n href="{href}">Your order</a>') == ([(code, 3, 2)] if code else [])


def test_links_need_words() -> None:
    link = '<a href="https://a.example"'
    assert told(f"{link}></a>") == [("empty_link", 1, 1)]
    assert told(f'{link}><img src="https://a.example/x" alt=""></a>') == [("empty_link", 1, 1)]
    assert told(f'{link}><img src="https://a.example/x" alt="Shop"></a>') == []
    assert told(f'{link} aria-label="Shop"></a>') == []
    assert told(f"{link}>Click here!</a>") == [("vague_link", 1, 1)]


def test_pictures_need_words_and_https() -> None:
    assert told('<p>a</p>\n<img src="http://a.example/x.png">') == [
        ("image_without_alt", 2, 1),
        ("image_not_https", 2, 1),
    ]
    assert told('<img src="{{ data.image }}" alt="{{ data.name }}">') == []
    mjml = '<mjml><mj-body><mj-image src="x.png" /></mj-body></mjml>'
    assert [code for code, *_ in told(mjml)] == ["image_without_alt", "image_not_https"]


@pytest.mark.parametrize(
    ("html", "place"),
    [
        ('<p style="color:#999">x', 1),
        ('<div style="background:#666;color:#fff"><b>a</b> <i style="color: black">y</i>', 50),
        ('<table bgcolor="#cccccc"><tr><td style="color:#fff !important">x', 30),
        ('<mj-section background-color="#336699"><mj-text color="#000000">x</mj-text>', 40),
        ('<mj-button background-color="#ffff00">x</mj-button>', 1),
    ],
)
def test_colours_too_close_are_told_at_the_element(html: str, place: int) -> None:
    assert told(html) == [("low_contrast", 1, place)]


@pytest.mark.parametrize(
    "html",
    [
        '<p style="color:#767676">enough',
        '<p style="color:#949494;font-size:24px">large',
        '<p style="color:#949494;font-size:19px;font-weight:bold">large and bold',
        '<p style="color:#fff;background:url(x.png)">on a picture',
        '<p style="color:{{ data.colour }}">from the data',
        '<p style="color:papayawhip">a name nobody knows',
        '<p style="color:rgba(0,0,0,.4)">see-through',
        '<p style="color:#fff;display:none">hidden',
        '<div style="display:none"><p style="color:#fff">hidden too</p></div>',
        '<p style="color:#fff"></p>\n<p style="color:#fff">  </p>',
        '<div style="background:#000"><div style="background:transparent;color:#fff">x',
        '<p style="color:#999">',
    ],
)
def test_no_remark_about_colours(html: str) -> None:
    assert told(html) == []


def test_a_text_after_a_closed_element_has_the_colours_of_before() -> None:
    assert told('<p>one</p><b style="color:#eee"></b> two <li style="color:#333">a<li>b') == []


def test_contrast_said_in_numbers() -> None:
    (one,) = remarks('<p style="color:#999999">x')
    assert one.text == "#999999 on #ffffff has a contrast of 2.8:1; 4.5:1 can be read."
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast((0x76, 0x76, 0x76), WHITE) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        *[("#FA0", (255, 170, 0)), (" White ", WHITE), ("rgb(1, 2, 300)", (1, 2, 255)), ("rgba(1,2,3,1)", (1, 2, 3))],
        *[("rgba(1,2,3,.5)", None), ("#12345", None), ("inherit", None), ("", None)],
    ],
)
def test_colours_are_read(text: str, colour: tuple[int, int, int] | None) -> None:
    assert colour_of(text) == colour


def test_small_text_is_told_once() -> None:
    assert told('<p style="font-size:12px">a</p><p style="font-size:9pt">b</p>') == [("small_text", 1, 27)]


def test_languages_and_directions() -> None:
    assert told("<html><body>x") == [("no_lang", 1, 1), ("no_dir", 1, 1)]
    assert told('<html lang="en" dir="ltr"><body>x', locale="de") == [("wrong_lang", 1, 1)]
    assert told('<html lang="{{ recipient.locale }}" dir="ltr"><body>x', locale="de") == []
    assert told("<p>x", locale="ar") == [("no_rtl", 1, 1)]
    assert told('<p dir="rtl">x', locale="ar-EG") == []
    assert told("<p>x", locale="he", layout={"html": '<html dir="rtl">{{ content }}'}) == []


def test_marketing_needs_a_way_out_in_every_part() -> None:
    def wrong(html: str, text: str, category: Category | None, **options: object) -> list[tuple[str, str]]:
        content = {"subject": "s", "preheader": "p", "html": html, "text": text}
        found = lint(content, Channel.EMAIL, category, **options)  # type: ignore[arg-type]
        return [(one.code, one.field) for one in found]

    assert wrong("<p>Sale", "Sale", Category.MARKETING) == [
        ("no_unsubscribe_link", "html"),
        ("no_unsubscribe_link", "text"),
    ]
    assert wrong("<p>Sale", "Sale", Category.TRANSACTIONAL) == []
    assert wrong("<p>Sale", "Sale", None) == []
    around = {"html": OUT, "text": "{{ vars.unsubscribe_url }}"}
    assert wrong("<p>Sale", "Sale", Category.MARKETING, layout=around) == []


def test_a_text_part_is_made_where_there_are_words() -> None:
    def said(html: str, rendered: dict[str, str] | None = None) -> list[str]:
        content = {"subject": "s", "preheader": "p", "html": html}
        return [one.code for one in lint(content, Channel.EMAIL, rendered=rendered)]

    assert said("<p>Words</p>") == ["text_part_made"]
    assert said('<img src="https://a.example/x.png" alt="">') == ["no_text_part"]
    assert said("<p>{{ data.x }}", rendered={"subject": "s", "preheader": "p", "html": "<p>", "text": " "}) == [
        "no_text_part"
    ]


def test_lengths_of_subject_and_preheader() -> None:
    def said(rendered: dict[str, str] | None = None, **content: str) -> list[tuple[str, str]]:
        found = lint({"html": "<p>x", "text": "x", **content}, Channel.EMAIL, rendered=rendered)
        return [(one.severity.value, one.code) for one in found]

    assert said(subject="x" * 60, preheader="y" * 130) == []
    assert said(subject="x" * 61, preheader="y" * 131) == [("info", "long_subject"), ("info", "long_preheader")]
    assert said(subject="x" * 71) == [("warning", "long_subject"), ("info", "no_preheader")]
    assert said(subject="{{ data.subject_that_is_long }}" * 9, preheader="y") == []
    assert said({"subject": "z" * 71, "preheader": "y"}, subject="{{ data.s }}", preheader="y") == [
        ("warning", "long_subject")
    ]


def test_html_that_gmail_cuts() -> None:
    assert [code for code, *_ in told("<p>" + "x" * 102 * 1024)] == ["large_html"]
    rendered = {"subject": "s", "preheader": "p", "text": "x", "html": "\u00e9" * 52_225}
    (one,) = remarks("<p>x", rendered=rendered)
    assert one.text.startswith("The HTML has 102 KB. Gmail cuts")


def test_the_worst_comes_first() -> None:
    html = '<p style="color:#999">x</p>\n<a href="/x">Order</a>\n<a href="https://a.example">here</a>'
    assert told(html) == [("link_not_absolute", 2, 4), ("low_contrast", 1, 1), ("vague_link", 3, 1)]


@pytest.mark.parametrize(
    "html", ["<a href='", "<p", "{{ data.x", "{% if", "<!-- x", "<style>", "</b></b>", "\x00<a b=>"]
)
def test_broken_sources_end_in_no_error(html: str) -> None:
    assert isinstance(remarks(html), list)


def test_liquid_is_blanked_at_its_place() -> None:
    source = "a{{ x\n}}b{% if %}c{{ }} d}} {{ open"
    assert without_liquid(source) == "axxxx\nxxbxxxxxxxxcxxxxx d}} xx open"
    assert plain(source) == "abc d}}  open"
