"""The builder of segments in a real browser, by keyboard. Skipped where there is no browser; the doors are tested without one."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.conf import settings as configured

from apps.audience.models import Segment
from apps.audience.segments import keeping, lists
from apps.core import clock
from tests.integration.admin_cast import acme, mira
from tests.integration.browser import Chromium, found
from tests.integration.segments_cast import crowd

pytestmark = [
    pytest.mark.skipif(found() is None, reason="There is no Chromium or Chrome on this machine."),
    pytest.mark.django_db(transaction=True),
]
AXE = Path(__file__).parents[1] / "vendor" / "axe-4.11.0.min.js"
WRONG = "axe.run('#content form, #main form, .n-segment').then(r => r.violations.map(v => `${v.id} (${v.impact}): ${v.nodes[0].html}`))"
WIDE = "document.documentElement.scrollWidth > innerWidth"
RULES = {
    "all": [
        {"field": "attributes.plan", "op": "is", "value": "pro"},
        {"none": [{"list": "guests"}, {"field": "locale", "op": "in", "value": ["de", "en"]}]},
        {"field": "activity.opened.email", "op": "not_in_last_days", "value": 30},
    ]
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture
def page(browser: Chromium, live_server: Any) -> Chromium:
    cookie = mira().cookies[configured.SESSION_COOKIE_NAME].value
    browser.enter(live_server.url, cookie)
    return browser


def _picture(page: Chromium, name: str) -> None:
    if directory := os.environ.get("NOTIFIER_PICTURES"):
        page.picture(Path(directory) / f"{name}.png", whole=True)


def test_rules_are_built_counted_and_saved(page: Chromium, live_server: Any) -> None:
    tenant = acme()
    crowd(tenant, 60, clock.now(), Random(2))
    keeping.create_segment(tenant_id=tenant.id, key="guests", name="Guests")
    row = keeping.create_segment(tenant_id=tenant.id, key="pros", name="Pros", rules=RULES)
    url = f"{live_server.url}/admin/audience/segment/{row.id}/change/"
    for width, is_dark in ((1280, False), (360, True)):
        page.size(width, 900, is_dark=is_dark)
        page.open(url)
        page.wait_for("document.querySelector('#count strong') && document.querySelector('#reach details')")
        assert page.evaluate("JSON.parse(document.getElementById('rules').value)") == RULES
        page.evaluate(AXE.read_text())
        assert page.evaluate(WRONG) == []
        assert page.evaluate(WIDE) is False
        _picture(page, f"segment-{width}{'-dark' if is_dark else ''}")
    guests = Segment.objects.of(tenant).get(key="guests")
    lists.add_members(tenant_id=tenant.id, segment_id=guests.id, user_ids=["u_1", "u_2"])
    for name, path in (("list", f"{guests.id}/change/"), ("all", "")):
        page.size(360, 900)
        page.open(f"{live_server.url}/admin/audience/segment/{path}")
        page.wait_for("!document.body.textContent.includes('Counting')")
        assert page.evaluate(WIDE) is False
        _picture(page, f"segments-{name}-360")
    page.size(1280, 900)
    page.open(url)
    page.wait_for("document.querySelector('#count strong')")
    page.evaluate("[...document.querySelectorAll('[aria-label=\"Add a rule to this group\"]')].at(-1).focus()")
    page.press("Enter")
    page.wait_for("document.activeElement.getAttribute('aria-label') === 'What is asked'")
    page.evaluate(
        "(() => { const it = document.activeElement; it.value = 'everyone'; it.dispatchEvent(new Event('change', {bubbles: true})) })()"
    )
    page.wait_for("document.getElementById('rules').value.includes('everyone')")
    page.evaluate(
        "[...document.querySelectorAll('.n-segment button')].find(b => b.textContent.startsWith('Show')).click()"
    )
    page.wait_for("document.querySelector('#people li')")
    _picture(page, "segment-people")
    page.evaluate("document.querySelector('form.n-segment').requestSubmit()")
    page.wait_for("document.body?.textContent.includes('Saved. What uses it')")
    assert Segment.objects.of(tenant).get(id=row.id).rules == {"all": [*RULES["all"], {"everyone": True}]}
    assert (page.foreign, page.errors) == ([], [])


def test_what_is_wrong_is_said_beside_its_rule(page: Chromium, live_server: Any) -> None:
    tenant = acme()
    row = keeping.create_segment(tenant_id=tenant.id, key="pros", name="Pros", rules=RULES["all"][0])
    page.size(1280, 900)
    page.open(f"{live_server.url}/admin/audience/segment/{row.id}/change/")
    page.wait_for("document.querySelector('.n-rule .n-why')")
    assert page.evaluate("document.querySelector('.n-why').textContent") == "Nobody has the attribute `plan`."
    page.evaluate(
        "(() => { const it = document.querySelector('.n-rule input[type=text].n-value:not([placeholder=name])');"
        " it.value = ''; it.dispatchEvent(new Event('input', {bubbles: true})) })()"
    )
    page.wait_for("document.querySelector('.n-rule.is-wrong .n-why')")
    assert page.evaluate("document.querySelector('.is-wrong .n-why').textContent") == "A value is needed."
    _picture(page, "segment-wrong")
