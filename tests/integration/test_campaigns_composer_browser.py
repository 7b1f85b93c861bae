"""The composer in a real browser: it saves by itself, says what is wrong where it is, and never writes over somebody else. Skipped where
there is no browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse

from apps.audience.segments import keeping
from apps.campaigns import composing
from apps.campaigns.models import Campaign
from apps.core import clock
from apps.core.types import Tenant
from tests.integration import admin_cast as people
from tests.integration import templates_cast as cast
from tests.integration.browser import Chromium, found
from tests.integration.test_campaigns_composing import values

pytestmark = [
    pytest.mark.skipif(found() is None, reason="There is no Chromium or Chrome on this machine."),
    pytest.mark.django_db(transaction=True),
]
AXE = Path(__file__).parents[1] / "vendor" / "axe-4.11.0.min.js"
# landmarks and headings of the whole page are unfold's
WRONG = """axe.run(document.querySelector('.c-page')).then(r => r.violations.map(v => `${v.id}: ${v.nodes[0].html}`))"""
WIDE = "document.documentElement.scrollWidth > innerWidth"
QUIET = (
    "![...document.querySelectorAll('.c-page p.n-dim')].some(p => /^(counting|rendering|looking)…/.test(p.textContent))"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture
def acme() -> Tenant:
    return cast.tenant()


@pytest.fixture
def spring(acme: Tenant, browser: Chromium, live_server: Any) -> UUID:
    """And the browser is signed in."""
    cast.publish(acme, "spring", cast.sms("Hello {{ recipient.first_name | default: 'there' }}"))
    keeping.create_segment(tenant_id=acme.id, key="vip", name="VIP", rules={"everyone": True})
    people.person(acme, "rosa")
    cookie = people.mira().cookies["sessionid"].value
    browser.enter(live_server.url, cookie)
    said = values(
        name="Spring",
        channels=["sms"],
        audience={"include": {"segment": "vip"}, "exclude": None},
        variants=[{"name": "A", "template_key": "spring"}, {"name": "B", "template_key": "spring"}],
        test={"share": 20},
        schedule={"kind": "at", "start": "2127-03-04T09:00", "zone": "recipient", "past": "send"},
    )
    return composing.create_campaign(tenant=acme, values=said, by="operator mira", now=clock.now())


def page(live_server: Any, id_: UUID, tab: str) -> str:
    return f"{live_server.url}{reverse('admin:campaigns_campaign_change', args=[id_])}?tab={tab}"


def set_field(browser: Chromium, name: str, value: str) -> None:
    """As a person who types and leaves the field."""
    browser.evaluate(
        f"(f => {{ f.value = '{value}'; f.dispatchEvent(new Event('input', {{bubbles: true}}));"
        f" f.dispatchEvent(new Event('change', {{bubbles: true}})); }})(document.getElementById('id_{name}'))"
    )


def test_nothing_is_wrong_for_assistive_technology_and_nothing_is_too_wide(
    browser: Chromium, live_server: Any, spring: UUID
) -> None:
    script = AXE.read_text()
    for tab, width, is_dark in (
        ("audience", 1280, False),
        ("content", 360, False),
        ("test", 1280, True),
        ("delivery", 360, True),
        ("review", 1280, False),
    ):
        browser.size(width, 900, is_dark=is_dark)
        browser.open(page(live_server, spring, tab))
        browser.evaluate(f"document.documentElement.classList.toggle('dark', {str(is_dark).lower()})")
        browser.wait_for(QUIET)
        browser.evaluate(script)
        assert browser.evaluate(WRONG) == [], (tab, width)
        assert browser.evaluate(WIDE) is False, (tab, width)
    assert browser.foreign == []


def test_what_is_typed_is_saved_by_itself_and_the_summary_follows(
    browser: Chromium, live_server: Any, spring: UUID
) -> None:
    browser.size(1280, 900)
    browser.open(page(live_server, spring, "delivery"))
    set_field(browser, "throttle", "600")
    browser.wait_for("document.getElementById('version').value === '2'")
    assert Campaign.objects.get().throttle == 600
    assert "600 people a minute" in browser.evaluate("document.getElementById('summary').innerText")
    assert "Saved" in browser.evaluate("document.getElementById('saved').innerText")
    set_field(browser, "ramp", "own")
    set_field(browser, "ramp_own", "1 5")
    wrong = "document.getElementById('id_ramp_own_error').innerText"
    browser.wait_for(f"{wrong}.includes('ends at 100')")
    assert browser.evaluate("document.getElementById('id_ramp_own').getAttribute('aria-invalid')") == "true"
    set_field(browser, "ramp_own", "1 5 100")
    browser.wait_for("document.getElementById('version').value === '3'")
    assert browser.evaluate(wrong) == ""
    assert Campaign.objects.get().ramp == [1.0, 5.0, 100.0]


def test_what_was_typed_a_moment_ago_goes_along_to_the_next_tab(
    browser: Chromium, live_server: Any, spring: UUID
) -> None:
    browser.open(page(live_server, spring, "delivery"))
    browser.wait_for(QUIET)
    browser.evaluate("document.getElementById('id_throttle').value = '70'")
    browser.evaluate(
        "document.getElementById('id_throttle').dispatchEvent(new Event('input', {bubbles: true}));"
        " document.querySelector('a[data-tab=test]').click()"
    )
    browser.wait_for("location.search === '?tab=test' && document.readyState === 'complete'")
    assert Campaign.objects.get().throttle == 70


def test_somebody_elses_change_is_shown_beside_ones_own(
    browser: Chromium, live_server: Any, acme: Tenant, spring: UUID
) -> None:
    browser.open(page(live_server, spring, "delivery"))
    composing.save_part(
        tenant=acme, campaign_id=spring, values=values(throttle=50), version=1, by="operator otto", now=clock.now()
    )
    set_field(browser, "throttle", "600")
    browser.wait_for("document.getElementById('stale').innerText.includes('operator otto changed this campaign')")
    assert browser.evaluate("document.getElementById('id_throttle').value") == "600"
    assert Campaign.objects.get().throttle == 50
    browser.evaluate("document.querySelector('[data-mine]').click()")
    browser.wait_for("document.getElementById('stale')?.innerText === '' && document.readyState === 'complete'")
    assert Campaign.objects.get().throttle == 600


def test_who_was_signed_out_is_told_that_nothing_is_saved(browser: Chromium, live_server: Any, spring: UUID) -> None:
    browser.open(page(live_server, spring, "delivery"))
    browser.call("Network.deleteCookies", name="sessionid", url=live_server.url)
    set_field(browser, "throttle", "600")
    browser.wait_for("document.getElementById('saved').innerText.includes('Not saved')")
    assert Campaign.objects.get().throttle == 0


def test_rules_of_its_own_are_built_and_kept(browser: Chromium, live_server: Any, spring: UUID) -> None:
    browser.open(page(live_server, spring, "audience"))
    browser.wait_for(QUIET)
    # the builder stands, and nothing was saved by looking
    assert browser.evaluate("document.getElementById('rules').value") != ""
    assert browser.evaluate("document.getElementById('saved').innerText").startswith("You saved it")
    browser.evaluate("document.querySelector('[name=kind][value=rules]').click()")
    browser.wait_for("document.getElementById('version').value === '2'")
    assert Campaign.objects.get().audience["include"] == {"all": [{"segment": "vip"}]}
    browser.evaluate(
        "(a => { a.value = JSON.stringify({field: 'locale', op: 'is', value: 'de'});"
        " a.dispatchEvent(new Event('input', {bubbles: true})); a.dispatchEvent(new Event('change', {bubbles: true})); })"
        "(document.getElementById('rules'))"
    )
    browser.wait_for("document.getElementById('summary').innerText.includes('locale is de')")
    assert Campaign.objects.get().audience["include"] == {"all": [{"field": "locale", "op": "is", "value": "de"}]}
    browser.wait_for("document.getElementById('reach').innerText.includes('0 match')")


def test_it_works_without_scripts(browser: Chromium, live_server: Any, spring: UUID) -> None:
    browser.without_scripts()
    try:
        browser.open(page(live_server, spring, "content"))
        browser.evaluate("document.getElementById('id_name').value = 'Summer'")
        browser.evaluate("document.querySelector('noscript button').click()")
        browser.wait_for("document.getElementById('id_name')?.defaultValue === 'Summer'")
    finally:
        browser.without_scripts(False)
    assert Campaign.objects.get().name == "Summer"
