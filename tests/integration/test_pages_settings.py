"""A person's settings page, without JavaScript."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audience.models import Endpoint, Recipient
from apps.core import ids
from apps.core.enums import Category, Channel, SuppressionReason
from apps.core.types import Author, Change, NewSuppression
from apps.preferences import choosing
from apps.preferences.changing import change_choices
from apps.preferences.models import ConsentRecord, DefaultPreference, QuietHoursRule
from apps.preferences.services import suppress
from apps.tenants.models import Tenant
from tests.integration.bundles_cast import statements
from tests.integration.dispatch_cast import endpoint, notify, person, rung, tenant
from tests.integration.pages_cast import Browser, catalogue

__all__ = ["rung"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]


@pytest.fixture
def rosa() -> Browser:
    catalogue()
    recipient = person()
    endpoint(recipient)
    return Browser(recipient)


def choices(browser: Browser) -> Any:
    return choosing.stored([browser.recipient])[browser.recipient]


def switches(browser: Browser) -> list[tuple[str, str, bool, str]]:
    return [(s.topic, s.channel, s.is_on, s.digest or "") for s in choices(browser).switches]


def said(page: Any) -> str:
    return page.context["done"].said if page.context["done"] else ""


class Outline(HTMLParser):
    """What a screen reader goes by."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag in names]


def test_it_is_a_table_whose_cells_are_labelled(rosa: Browser) -> None:
    html = rosa.get().content.decode()
    seen = Outline(html)
    assert len(seen.of("table")) == 1 and {th["scope"] for th in seen.of("th")} == {"col", "row", "colgroup"}
    labels = {label["for"] for label in seen.of("label") if label.get("for")}
    controls = [one for one in seen.of("select", "input") if one.get("type") not in ("hidden", "radio", "checkbox")]
    assert [one for one in controls if one.get("id") not in labels] == []
    found = [attrs["id"] for _, attrs in seen.tags if "id" in attrs]
    assert len(found) == len(set(found))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))
    assert "Email: New comment" in text
    assert re.findall(r"<h(\d)", html)[:2] == ["1", "2"]
    assert len(seen.of("main")) == 1 and seen.of("div")[1]["role"] == "status"


@pytest.mark.parametrize(
    ("code", "direction", "word"),
    [("en", "ltr", "Quiet hours"), ("de", "ltr", "Ruhezeiten"), ("ar", "rtl", "ساعات الهدوء")],
)
def test_it_speaks_the_readers_language(rosa: Browser, code: str, direction: str, word: str) -> None:
    Recipient.objects.update(locale={"de": "de-CH"}.get(code, code))
    html = rosa.get().content.decode()
    assert Outline(html).of("html")[0] == {"lang": code, "dir": direction}
    assert word in html
    other = rosa.get("?lang=de").content.decode()
    assert "Ruhezeiten" in other and 'action="' + rosa.url + 'change?lang=de"' in other


def test_a_cell_is_changed_and_taken_back(rosa: Browser) -> None:
    page = rosa.cells(comment__new="email=off", like__new="push=weekly")
    assert page.redirect_chain[0][1] == 303 and said(page) == "Saved."
    assert switches(rosa) == [("comment.new", "email", False, ""), ("like.new", "push", True, "weekly")]
    page = rosa.undo(page)
    assert (switches(rosa), said(page)) == ([], "It is as it was.")
    assert [(r.source, r.agent) for r in ConsentRecord.objects.all_tenants()] == [("settings_page", "Lynx")] * 4


def test_what_was_changed_elsewhere_is_not_overwritten(rosa: Browser) -> None:
    old = rosa.cells(comment__new="email=off")
    rosa.cells(comment__new="push=off")
    page = rosa.undo(old)
    assert page.status_code == 409 and "elsewhere meanwhile" in said(page)
    page = rosa.post("cells", version="0", **{"like.new|push": "off"})
    assert page.status_code == 409
    assert switches(rosa) == [("comment.new", "email", False, ""), ("comment.new", "push", False, "")]


def test_an_undo_of_somebody_else_is_none(rosa: Browser) -> None:
    page = rosa.cells(comment__new="email=off")
    otto = Browser(person("otto"))
    assert otto.post("undo", done=page.context["done_token"]).status_code == 422
    assert rosa.post("undo", done="x").status_code == 422
    assert switches(rosa) == [("comment.new", "email", False, "")] and switches(otto) == []


def test_all_marketing_is_one_click(rosa: Browser) -> None:
    rosa.cells(news__weekly="email=daily")
    page = rosa.post("marketing_off")
    assert page.context["is_marketing_off"]
    assert switches(rosa) == [("category:marketing", "*", False, "")]
    rosa.undo(page)
    assert switches(rosa) == [("news.weekly", "email", True, "daily")]


def test_a_pause_ends_and_can_be_ended(rosa: Browser) -> None:
    Recipient.objects.update(timezone="Europe/Zurich")
    for length, least in (("day", 1), ("week", 7), ("month", 30)):
        rosa.post("pause", **{"for": length})
        (mute,) = choices(rosa).mutes
        assert (mute.topic, mute.channel) == ("*", "*")
        assert timedelta(0) <= datetime.now(UTC) + timedelta(days=least) - mute.until < timedelta(minutes=1)
    assert "Everything is paused" in rosa.get().content.decode()
    rosa.post("resume")
    assert choices(rosa).mutes == ()
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    rosa.post("pause", **{"for": "until", "until": day.isoformat()})
    (mute,) = choices(rosa).mutes
    assert mute.until.astimezone().date() in (day, day - timedelta(days=1))


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "pause"},
        {"do": "pause", "for": "until", "until": "2020-01-01"},
        {"do": "pause", "for": "until", "until": "soon"},
        {"do": "pause", "for": "until", "until": "2099-01-01"},
        {"do": "quiet", "mode": "own", "start": "22:00", "end": "22:00"},
        {"do": "quiet", "mode": "own", "start": "", "end": "25:00"},
        {"do": "quiet", "mode": "own", "start": "22:00", "end": "07:00", "zone": "Mars/Base"},
        {"do": "digest", "hour": "24", "weekday": "0"},
        {"do": "digest", "hour": "9", "weekday": "x"},
        {"do": "remove", "address": "ep_x"},
        {"do": "nonsense"},
    ],
)
def test_what_cannot_be_done_is_said_on_the_page(rosa: Browser, fields: dict[str, str]) -> None:
    page = rosa.post(**fields)
    assert page.status_code == 422 and said(page) and not page.context["done_token"]
    assert choices(rosa).version == 0


def test_quiet_hours_zone_and_digest_time(rosa: Browser) -> None:
    page = rosa.post("quiet", mode="own", start="21:30", end="06:45", zone="Asia/Kathmandu")
    (hours,) = choices(rosa).quiet_hours
    assert (hours.start, hours.end, hours.channels, hours.categories) == (1_290, 405, (), ())
    assert Recipient.objects.get().timezone == "Asia/Kathmandu" == page.context["zone"]
    page = rosa.post("quiet", mode="none", zone="Europe/Berlin")
    assert choices(rosa).quiet_hours == ()
    rosa.undo(page)
    assert choices(rosa).quiet_hours == (hours,) and Recipient.objects.get().timezone == "Asia/Kathmandu"
    rosa.post("quiet", mode="tenant", zone="Asia/Kathmandu")
    assert choices(rosa).quiet_hours is None
    rosa.undo(rosa.post("digest", hour="18", weekday="4"))
    rosa.post("digest", hour="7", weekday="6")
    assert (choices(rosa).digest_hour, choices(rosa).digest_weekday) == (7, 6)


def test_the_tenants_own_rules_are_shown(rosa: Browser) -> None:
    owner = tenant()
    Tenant.objects.update(brand_color="#5b3df5", logo="data:image/png;base64,iVBORw0KGgo=")
    QuietHoursRule.objects.create(tenant_id=owner, start=1_320, end=420, is_locked=True)
    DefaultPreference.objects.create(
        tenant_id=owner, topic="order.paid", channel="email", is_on=True, is_locked=True, reason="The law asks for it."
    )
    html = rosa.get().content.decode()
    assert "The law asks for it." in html and "22:00" in html and "/preferences/brand/5b3df5.css" in html
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in html
    css = rosa.client.get("/preferences/brand/5b3df5.css")
    assert css["Content-Type"] == "text/css" and css.content.startswith(b":root{--accent:#5b3df5;--on-accent:#ffffff}")
    assert rosa.client.get("/preferences/brand/5b3df5;x.css").status_code == 404
    rosa.cells(order__paid="email=off")
    assert switches(rosa) == []


def test_an_address_is_removed_and_taken_back(rosa: Browser) -> None:
    (found,) = Endpoint.objects.all_tenants()
    suppress(
        [NewSuppression(tenant(), Channel.EMAIL, bytes(found.address_hash), "r***", SuppressionReason.HARD_BOUNCE, "x")]
    )
    page = rosa.get()
    assert page.context["addresses"][0]["veto"] == "It bounced for good."
    page = rosa.post("remove", address=ids.show(ids.ENDPOINT, found.id))
    assert page.context["addresses"] == [] and Endpoint.objects.all_tenants().get().retired_reason == "own_wish"
    page = rosa.undo(page)
    assert Endpoint.objects.all_tenants().get().retired_at is None
    otto = Browser(person("otto"))
    assert otto.post("remove", address=ids.show(ids.ENDPOINT, found.id)).status_code == 422


def test_a_blocked_person_is_unblocked_and_blocked_again(rosa: Browser) -> None:
    change = Change(blocked_actors=frozenset({"otto", "bea"}))
    change_choices(tenant_id=tenant(), recipient_id=rosa.recipient, change=change, by=Author("api"))
    page = rosa.post("unblock", actor="otto")
    assert choices(rosa).blocked_actors == {"bea"}
    rosa.undo(page)
    assert choices(rosa).blocked_actors == {"otto", "bea"}


def test_each_row_says_how_much_it_is(rosa: Browser) -> None:
    notify([rosa.recipient] * 12, event_type="comment.new", category=Category.SOCIAL)
    notify([rosa.recipient], event_type="news.weekly", category=Category.MARKETING)
    rows = {row["name"]: row["volume"] for group in rosa.get().context["groups"] for row in group["rows"]}
    assert re.fullmatch(r"about 3 a week, last on \w+ \d+", rows["New comment"])
    assert rows["Weekly news"].startswith("about 1 a month, last on ")
    assert rows["New like"] == "None yet"


@pytest.mark.parametrize("count", [1, 300])
def test_it_takes_a_fixed_number_of_queries(rosa: Browser, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    notify([rosa.recipient] * count, event_type="comment.new", category=Category.SOCIAL)
    rosa.get()
    choosing.forget_cached()
    with CaptureQueriesContext(connection) as seen, statements(monkeypatch) as by_hand:
        assert rosa.get().status_code == 200
    assert len(seen) + len(by_hand) == 8, [*(query["sql"][:90] for query in seen), *by_hand]
