"""A run's pages in a real browser: they follow by themselves, stop when it is over, fit a phone, keep nothing from assistive technology.
Skipped where there is no browser."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.urls import reverse

from apps.campaigns import tallying
from apps.campaigns.models import Run
from apps.core import clock
from tests.integration import admin_cast
from tests.integration import campaigns_live_cast as cast
from tests.integration.browser import Chromium, found
from tests.integration.dispatch_cast import rung as rung

pytestmark = [
    pytest.mark.skipif(found() is None, reason="There is no Chromium or Chrome on this machine."),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("rung"),
    pytest.mark.timeout(300),
]
AXE = Path(__file__).parents[1] / "vendor" / "axe-4.11.0.min.js"
# of what is ours: unfold's frame has no landmarks
WRONG = (
    "axe.run('.n-stack', {rules: {region: {enabled: false}}})"
    ".then(r => r.violations.map(v => `${v.id} (${v.impact}): ${v.nodes[0].html}`))"
)
WIDE = "document.documentElement.scrollWidth > innerWidth"
LONG = 60.0
# numbers stand below each other on a phone, not beside what one sees
CUT = "[...document.querySelectorAll('.n-scroll')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.outerHTML.slice(0, 200))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as one:
        yield one


def count(run: Run) -> None:
    cast.make_due(run)
    assert tallying.tally_run(run.id, clock.now()) is not None


def test_a_run_is_watched_to_its_end(browser: Chromium, live_server: Any) -> None:
    now = clock.now()
    waves = [
        {"seen": 30, "made": 30, "size": 30, "done_at": now},
        {"size": 70, "due_at": now + timedelta(hours=1), "zone": "Asia/Tokyo"},
    ]
    run = cast.run_of(size=100, waves=waves)
    for _ in range(9):
        cast.said(run, opened_at=now)
    cast.said(run, "failed", "rejected")
    count(run)
    mira = admin_cast.mira()
    cookie = mira.cookies[configured.SESSION_COOKIE_NAME].value
    browser.enter(live_server.url, cookie)
    page = live_server.url + reverse("admin:campaigns_run_change", args=[run.id])
    script = AXE.read_text()
    for width, is_dark in ((1280, False), (360, True)):
        browser.size(width, 900, is_dark=is_dark)
        browser.open(page)
        browser.evaluate(f"document.documentElement.classList.toggle('dark', {str(is_dark).lower()})")
        browser.wait_for("document.body?.innerText?.includes('Some that failed')", LONG)
        browser.evaluate(script)
        assert (browser.evaluate(WRONG), browser.evaluate(WIDE)) == ([], False), width
    assert "10 of 100 people done" in browser.evaluate("document.body.innerText")

    cast.said(run)
    count(run)
    browser.wait_for("document.body?.innerText?.includes('11 of 100 people done')", LONG)

    Run.objects.of(run.tenant_id).update(status="finished", finished_at=now, expanded_at=now)
    count(run)
    browser.wait_for("document.body?.innerText?.includes('Everybody, once')", LONG)
    assert browser.evaluate("document.querySelectorAll('#run-live').length") == 0
    for width, is_dark in ((1280, False), (360, True)):
        browser.size(width, 900, is_dark=is_dark)
        browser.open(page)
        browser.evaluate(f"document.documentElement.classList.toggle('dark', {str(is_dark).lower()})")
        browser.wait_for("document.body?.innerText?.includes('So far')", LONG)
        browser.evaluate(script)
        assert (browser.evaluate(WRONG), browser.evaluate(WIDE), browser.evaluate(CUT)) == ([], False, []), width
    assert browser.foreign == []


def test_what_goes_on_beside_its_box_fades_until_one_is_there(browser: Chromium, live_server: Any) -> None:
    """Where the browser can."""
    run = cast.run_of(size=1)
    cast.said(run)
    count(run)
    cookie = admin_cast.mira().cookies[configured.SESSION_COOKIE_NAME].value
    browser.enter(live_server.url, cookie)
    browser.size(360, 900)
    browser.open(live_server.url + reverse("admin:campaigns_run_change", args=[run.id]))
    browser.wait_for("document.querySelector('.n-scroll')")
    if not browser.evaluate("CSS.supports('animation-timeline: scroll()')"):
        pytest.skip("This browser has no animations that follow a scroll.")
    box = "document.querySelector('.n-scroll')"
    faded = f"getComputedStyle({box}).getPropertyValue('--n-more')"
    assert browser.evaluate(faded) == "0px"
    browser.evaluate(f"{box}.insertAdjacentHTML('beforeend', '<p style=\"inline-size: 900px\">far</p>')")
    browser.wait_for(f"{faded} === '48px'")
    browser.evaluate(f"{box}.scrollLeft = 10000")
    browser.wait_for(f"{faded} === '0px'")
