"""What leaves with tokens: every push, and mails of tenants that want it; what is never touched."""

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from apps.core.enums import Category, Channel
from apps.dispatch import tracking
from tests.unit.templates_cast import ACME

DELIVERY = UUID("0197a6e2-0000-8000-8000-000000000001")
TRACKS = replace(ACME, tracked_categories=frozenset({"marketing"}))


@pytest.fixture(autouse=True)
def _public(settings: Any) -> None:
    settings.PUBLIC_URL = "https://notify.acme.test"


def leaves(
    content: dict[str, str], *, tenant: Any = TRACKS, channel: Channel = Channel.EMAIL, category: str = "marketing"
) -> Any:
    return tracking.with_tokens(
        content, tenant=tenant, channel=channel, category=Category(category), delivery_id=DELIVERY
    )


def links(html: str) -> list[Any]:
    return [tracking.link_of(token) for token in re.findall(r"https://notify\.acme\.test/c/([\w-]+)\"", html)]


def test_a_push_has_a_token_of_its_own() -> None:
    found = leaves({"title": "Hello"}, tenant=ACME, channel=Channel.PUSH, category="critical")
    assert dict(found) == {"title": "Hello", "engagement_token": tracking.engagement_token(DELIVERY)}
    assert tracking.engaged_delivery(found["engagement_token"]) == DELIVERY
    assert tracking.opened_delivery(found["engagement_token"]) is None
    assert len(found["engagement_token"]) == 43


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.IN_APP])
def test_other_channels_leave_as_they_are(channel: Channel) -> None:
    content = {"body": '<a href="https://acme.test">'}
    assert leaves(content, channel=channel) is content


@pytest.mark.parametrize(
    ("tenant", "category"),
    [
        (ACME, "marketing"),
        (TRACKS, "transactional"),
        (replace(ACME, tracked_categories=frozenset({"critical"})), "critical"),
    ],
)
def test_a_mail_is_only_tracked_where_the_tenant_wants_it_and_never_when_critical(tenant: Any, category: str) -> None:
    content = {"html": '<body><a href="https://acme.test/sale">Sale</a></body>', "text": "https://acme.test/sale"}
    assert leaves(content, tenant=tenant, category=category) is content


def test_links_lead_through_us_and_a_pixel_ends_the_body() -> None:
    html = (
        '<html><body><p>Hi</p><a class="b" href="https://acme.test/a?x=1&amp;y=2" target=_blank>One</a>'
        "<A HREF='http://other.test/ü'>Two</A></body></html>"
    )
    found = leaves({"html": html, "text": "https://acme.test/a"})
    assert found["text"] == "https://acme.test/a"
    assert links(found["html"]) == [
        tracking.Link(DELIVERY, 1, "https://acme.test/a?x=1&y=2"),
        tracking.Link(DELIVERY, 2, "http://other.test/ü"),
    ]
    one, two = (tracking.link_token(*link) for link in links(found["html"]))
    assert found["html"] == (
        f'<html><body><p>Hi</p><a class="b" href="https://notify.acme.test/c/{one}" target=_blank>One</a>'
        f'<A HREF="https://notify.acme.test/c/{two}">Two</A>'
        f'<img src="https://notify.acme.test/o/{tracking.open_token(DELIVERY)}.gif" width="1" height="1" alt=""'
        ' style="display:block;width:1px;height:1px;border:0"></body></html>'
    )
    assert leaves({"html": html})["html"] == found["html"]


@pytest.mark.parametrize(
    "anchor",
    [
        '<a href="mailto:rosa@acme.test">m</a>',
        '<a href="tel:+491">t</a>',
        '<a href="#top">u</a>',
        '<a href="/relative">r</a>',
        '<a href="acme://open/1">app</a>',
        '<a href="javascript:alert(1)">j</a>',
        '<a href="https://notify.acme.test/settings/x">ours</a>',
        '<a href="https://lists.test/Unsubscribe?u=1">bye</a>',
        '<a data-untracked href="https://acme.test/">plain</a>',
        '<a href="https://acme.test/bye/77">listed</a>',
        '<a href="https://[bad">broken</a>',
        '<a href="https://">nowhere</a>',
        '<a name="x">no link</a>',
        '<a data-href="https://acme.test/">no link either</a>',
        '<abbr href="https://acme.test/">no anchor</abbr>',
        '<a href="https://acme.test/a&#10;b">a line break</a>',
        f'<a href="https://acme.test/{"x" * 2_000}">too long</a>',
    ],
)
def test_what_is_never_rewritten(anchor: str) -> None:
    found = leaves({"html": anchor, "unsubscribe_url": "https://acme.test/bye/77"})["html"]
    assert found.startswith(anchor + "<img ")
    assert links(found) == []


def test_a_token_of_one_door_opens_no_other() -> None:
    link = tracking.link_token(DELIVERY, 1, "https://evil.test/")
    assert tracking.opened_delivery(link) is None
    assert tracking.engaged_delivery(link) is None
    assert tracking.link_of(tracking.open_token(DELIVERY)) is None
    assert tracking.link_of(tracking.engagement_token(DELIVERY)) is None
