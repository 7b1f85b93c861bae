"""The people's pages in a real browser: by keyboard alone, without scripts, in every language, by day and by night. Skipped where there
is no browser; what can be read from the HTML is tested without one (test_pages_settings.py)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from apps.core.enums import Category, Channel
from apps.preferences import choosing, links
from apps.preferences.models import Preference
from apps.tenants.models import Tenant
from tests.integration.browser import Chromium, found
from tests.integration.dispatch_cast import endpoint, notify, person, route, rung, states
from tests.integration.pages_cast import catalogue

__all__ = ["rung"]
pytestmark = [
    pytest.mark.skipif(found() is None, reason="There is no Chromium or Chrome on this machine."),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("rung"),
]
AXE = Path(__file__).parents[1] / "vendor" / "axe-4.11.0.min.js"
WRONG = "axe.run().then(r => r.violations.map(v => `${v.id} (${v.impact}): ${v.nodes[0].html}`))"
WIDE = "document.documentElement.scrollWidth > innerWidth"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture
def rosa(live_server: Any, settings: Any) -> UUID:
    settings.PUBLIC_URL = live_server.url
    catalogue()
    recipient = person()
    endpoint(recipient)
    Tenant.objects.update(brand_color="#ffe600")
    return recipient


def offs(recipient: UUID) -> list[tuple[str, str]]:
    rows = Preference.objects.all_tenants().filter(recipient_id=recipient, is_on=False).order_by("topic")
    return list(rows.values_list("topic", "channel"))


def test_nothing_is_wrong_for_assistive_technology_and_nothing_is_too_wide(browser: Chromium, rosa: UUID) -> None:
    settings_url = links.settings_url(rosa)
    unsubscribe_url = links.unsubscribe_url(rosa, rosa, "category:marketing", "email")
    Client().post("/" + unsubscribe_url.split("/", 3)[3], {"do": "topic"})
    script = AXE.read_text()
    for width, is_dark, language, url in (
        (1280, False, "en", settings_url),
        (320, True, "ar", settings_url),
        (320, False, "de", unsubscribe_url),
        (320, False, "de", f"{settings_url}messages/"),
        (320, True, "ar", f"{settings_url}would-i-get-it?what=comment.new"),
        (1280, False, "en", f"{settings_url}would-i-get-it?what=nothing"),
        (1280, True, "en", f"{settings_url[:-5]}/"),
    ):
        browser.size(width, 800, is_dark=is_dark)
        browser.open(f"{url}{'&' if '?' in url else '?'}lang={language}")
        browser.evaluate(script)
        assert browser.evaluate(WRONG) == [], (url, width, language)
        assert browser.evaluate(WIDE) is False, (url, width, language)
    assert browser.foreign == []


def test_a_choice_is_made_by_keyboard_saved_at_once_said_and_taken_back(browser: Chromium, rosa: UUID) -> None:
    browser.size(1280, 900)
    browser.open(links.settings_url(rosa))
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.className") == "skip"
    browser.press("Enter")
    focused = "document.activeElement.id"
    browser.evaluate("document.getElementById('c-comment_new-email').focus()")
    name = "document.activeElement.labels[0].textContent"
    assert browser.evaluate(name) == "Email: New comment"
    browser.press("o")
    browser.press("ArrowDown")
    browser.wait_for("document.getElementById('status').textContent.includes('Saved.')")
    assert offs(rosa) == [("comment.new", "email")]
    assert browser.evaluate(focused) == "c-comment_new-email", "the focus stays where it was"
    assert browser.evaluate("document.activeElement.value") == "off"
    assert "done=" not in browser.evaluate("location.href")
    notify(
        [rosa],
        category=Category.SOCIAL,
        event_type="comment.new",
        channels=[Channel.EMAIL],
        content={"title": "x", "body": "y"},
    )
    route("social")
    assert states() == [("email", "skipped", "topic_off")]
    browser.evaluate("document.getElementById('undo').focus()")
    browser.press("Enter")
    browser.wait_for("document.getElementById('status').textContent.includes('It is as it was.')")
    assert offs(rosa) == []
    assert choosing.stored([rosa])[rosa].version == 2
    assert [e for e in browser.errors if "404" not in e] == []


def test_every_control_can_be_reached_by_keyboard(browser: Chromium, rosa: UUID) -> None:
    browser.size(1280, 900)
    browser.open(links.settings_url(rosa))
    browser.wait_for("document.documentElement.classList.contains('js')")
    count = browser.evaluate(
        "[...document.querySelectorAll('a[href],button,select,input:not([type=hidden])')]"
        ".filter(e => e.checkVisibility() && !e.disabled && !(e.type === 'radio' && !e.checked)).length"
    )
    reached = set()
    for _ in range(count + 25):
        browser.press("Tab")
        reached.add(
            browser.evaluate(
                "[...document.querySelectorAll('*')].indexOf(document.activeElement)"
                " + (document.activeElement === document.body ? 'body' : '')"
            )
        )
        visible = "(e => e === document.body || getComputedStyle(e).outlineStyle === 'solid')(document.activeElement)"
        assert browser.evaluate(visible)
    assert len([one for one in reached if "body" not in str(one)]) >= count > 30


def test_it_works_without_scripts(browser: Chromium, rosa: UUID) -> None:
    browser.size(360, 800)
    browser.without_scripts()
    try:
        browser.open(links.settings_url(rosa))
        assert browser.evaluate("document.documentElement.classList.contains('js')") is False
        assert browser.evaluate("document.querySelector('.save button').checkVisibility()")
        browser.evaluate("document.getElementById('c-news_weekly-email').value = 'daily'")
        browser.evaluate("document.querySelector('.save button').click()")
        browser.wait_for(
            "document.readyState === 'complete' && document.getElementById('status')?.textContent.includes('Saved.')"
        )
        row = Preference.objects.all_tenants().get()
        assert (row.topic, row.channel, row.is_on, row.digest) == ("news.weekly", "email", True, "daily")
        browser.evaluate("document.getElementById('marketing-off').click()")
        browser.wait_for("document.getElementById('status')?.textContent.includes('You get no more offers and news.')")
        assert offs(rosa) == [("category:marketing", "*")]
    finally:
        browser.without_scripts(False)


def test_the_time_zone_of_the_device_is_offered(browser: Chromium, rosa: UUID) -> None:
    browser.call("Emulation.setTimezoneOverride", timezoneId="Asia/Tokyo")
    try:
        browser.open(links.settings_url(rosa))
        browser.wait_for("document.getElementById('zone').value === 'Asia/Tokyo'")
    finally:
        browser.call("Emulation.setTimezoneOverride", timezoneId="")
