"""The wizard in a real browser, from the file to the people: the bar, the page that keeps itself fresh, by day and by night, on a phone.
Skipped where there is no browser; what the server answers is tested without one (test_imports_admin.py)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from apps.audience.imports import services
from apps.core.types import Tenant
from tests.integration.admin_cast import acme as tenant_acme
from tests.integration.admin_cast import mira
from tests.integration.browser import Chromium, found
from tests.integration.imports_cast import people, work

pytestmark = [
    pytest.mark.skipif(found() is None, reason="There is no Chromium or Chrome on this machine."),
    pytest.mark.django_db(transaction=True),
]
AXE = Path(__file__).parents[1] / "vendor" / "axe-4.11.0.min.js"
# the pages' own part: unfold's sidebar and header are not ours
WRONG = "axe.run('#content').then(r => r.violations.map(v => `${v.id} (${v.impact}): ${v.nodes[0].html}`))"
WIDE = "document.documentElement.scrollWidth > innerWidth"
# a directory for pictures, for who wants to look
PICTURES = os.environ.get("IMPORT_PICTURES", "")
FILE = (
    "Kundennummer;E-Mail;Vorname;Punkte;Kunde seit\n"
    "u1;rosa@example.com;Rosa;12;21.11.2026\nu2;nobody;Otto;1;\nu3;bea@example.com;Bea;many;\n"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture
def acme(browser: Chromium, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    monkeypatch.setattr(services, "wake", lambda: None)
    tenant, client = tenant_acme(), mira()
    address = str(live_server.url)
    browser.enter(address, client.cookies["sessionid"].value)
    return tenant


def looked_at(browser: Chromium, name: str) -> None:
    """By day at 1280, by night at 360 pixels."""
    for width, is_dark in ((360, True), (1280, False)):
        browser.size(width, 900)
        browser.wait_for(f"innerWidth === {width}")
        browser.evaluate(f"document.documentElement.classList.toggle('dark', {str(is_dark).lower()})")
        browser.evaluate(AXE.read_text())
        assert browser.evaluate(WRONG) == [], (name, width)
        assert browser.evaluate(WIDE) is False, (name, width)
        if PICTURES:
            browser.picture(Path(PICTURES) / f"{name}-{width}.png", whole=True)


def choose(browser: Chromium, path: Path) -> None:
    browser.call("DOM.enable")
    root = browser.call("DOM.getDocument")["root"]["nodeId"]
    node = browser.call("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
    browser.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)


def press(browser: Chromium, text: str) -> None:
    """The button of that name, by keyboard."""
    browser.evaluate(f"[...document.querySelectorAll('#content button')].find(b => b.textContent === '{text}').focus()")
    browser.press("Enter")


def test_from_the_file_to_the_people(browser: Chromium, acme: Tenant, live_server: Any, tmp_path: Path) -> None:
    browser.open(str(live_server.url) + reverse("admin:audience_import_changelist"))
    looked_at(browser, "empty")
    browser.open(str(live_server.url) + reverse("admin:audience_import_add"))
    bad, good = tmp_path / "bad.csv", tmp_path / "fair.csv"
    bad.write_text('id,name\nu1,"open\n')
    good.write_text(FILE)
    choose(browser, bad)
    press(browser, "Upload")
    browser.wait_for("document.querySelector('#problem')?.textContent.includes('Line 2, column 1')")
    looked_at(browser, "refused")
    choose(browser, good)
    press(browser, "Upload")
    browser.wait_for("location.pathname.endsWith('/map/') && document.readyState === 'complete'")
    assert browser.evaluate("document.querySelector('[name=field-0]').value") == "user_id"
    assert browser.evaluate("getComputedStyle(document.querySelectorAll('.i-attribute')[0]).display") == "none"
    assert browser.evaluate("getComputedStyle(document.querySelectorAll('.i-attribute')[2]).display") != "none"
    browser.evaluate("document.querySelector('[name=kind-3]').value = 'number'")
    looked_at(browser, "map")
    press(browser, "Check the file")
    browser.wait_for("document.querySelector('#import-progress progress') && document.readyState === 'complete'")
    looked_at(browser, "checking")
    work()
    browser.wait_for("[...document.querySelectorAll('#content button')].some(b => b.textContent === 'Write them')")
    assert people(acme) == {}
    looked_at(browser, "checked")
    press(browser, "Write them")
    browser.wait_for("document.querySelector('#import-progress')?.textContent.includes('a worker will take it up')")
    looked_at(browser, "running")
    work()
    browser.wait_for("document.body?.textContent.includes('Every row was written or refused.')")
    looked_at(browser, "finished")
    assert people(acme) == {
        "u1": ("", "", {"vorname": "Rosa", "punkte": 12, "kunde_seit": "2026-11-21"}),
    }
    browser.open(str(live_server.url) + reverse("admin:audience_import_changelist"))
    looked_at(browser, "list")
    assert browser.foreign == []
    assert [said for said in browser.errors if "422" not in said] == []
