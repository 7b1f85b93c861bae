"""The template editor in a real browser: what is typed is shown, saved and never lost; by keyboard, on a phone, by day and by night.
Skipped where there is no browser; what the server answers is tested without one (test_admin_template_editor.py)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from apps.audience.picking import forget_counted
from apps.audience.services import upsert_recipients
from apps.core.enums import Channel
from apps.core.types import InlineRecipient, Tenant
from apps.templates.models import Template, TemplateVariant
from apps.templates.proving import Source
from tests.integration import admin_cast as people
from tests.integration import templates_cast as cast
from tests.integration.browser import Chromium, found

pytestmark = [
    pytest.mark.skipif(found() is None, reason="There is no Chromium or Chrome on this machine."),
    pytest.mark.django_db(transaction=True),
]
AXE = Path(__file__).parents[1] / "vendor" / "axe-4.11.0.min.js"
# the pages' own part: unfold's sidebar and header are not ours
WRONG = "axe.run('#content').then(r => r.violations.map(v => `${v.id} (${v.impact}): ${v.nodes[0].html}`))"
WIDE = "document.documentElement.scrollWidth > innerWidth"
FORM = "document.querySelector('[data-studio]')"
HEAD = "document.querySelector('[data-head]').textContent"
REST = "document.querySelector('[data-rest]').textContent"
SAVED = "document.querySelector('[data-state]')?.textContent.startsWith('Draft saved at')"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture
def acme() -> Tenant:
    forget_counted()
    return people.acme()


@pytest.fixture
def page(browser: Chromium, live_server: Any, acme: Tenant) -> Iterator[str]:
    """Opened by Mira, at 1280 px; left without a question, and without a draft on its way."""
    client = people.mira()
    html = (
        '<p style="color:#aaa">Hello {{ recipient.first_name }}</p>\n<p>Order {{ data.id }} <a href="/x">here</a></p>'
    )
    cast.publish(
        acme,
        "order",
        Source(Channel.EMAIL, "", {"subject": "Order {{ data.id }}", "html": html}),
        cast.sms("Order {{ data.id }}"),
        cast.sms("Bestellung {{ data.id }}", "de"),
        sample={"id": "A-1", "total": "12", "$recipient": {"first_name": "Zoe"}},
    )
    rosa = InlineRecipient(user_id="rosa", locale="fr", attributes={"first_name": "Rosa"})
    upsert_recipients(tenant=acme, inline=[rosa])
    address = str(live_server.url)
    browser.enter(address, client.cookies["sessionid"].value)
    url = address + reverse("admin:message_templates_template_change", args=[Template.objects.get().id])
    browser.call("Emulation.setFocusEmulationEnabled", enabled=True)
    browser.size(1280, 900)
    opened(browser, url)
    yield url
    still = f"document.querySelector('[data-state]')?.textContent !== 'Saving\u2026' && {FORM}.dispatchEvent(new Event('submit'))"
    browser.wait_for(f"!{FORM} || ({still})")
    browser.open("about:blank")


def opened(browser: Chromium, url: str) -> None:
    browser.open("about:blank")
    browser.open(url)
    browser.wait_for(f"{FORM} && {FORM}.dataset.seen")


def choose(browser: Chromium, channel: str) -> None:
    browser.evaluate(f"document.querySelector('[data-tab={channel}]').click()")


def write(browser: Chromium, text: str) -> None:
    """Into what has the focus, as a person does."""
    browser.call("Input.insertText", text=text)


def empty(browser: Chromium, name: str) -> None:
    browser.evaluate(f"{FORM}.elements['{name}'].focus(); {FORM}.elements['{name}'].select()")
    browser.evaluate("document.execCommand('delete')")


def drafted() -> list[str]:
    rows = TemplateVariant.objects.filter(version__published_at=None, channel="sms").order_by("id")
    return [source["body"] for source in rows.values_list("source", flat=True)]


def test_what_is_typed_is_shown_and_saved_by_itself(browser: Chromium, page: str) -> None:
    choose(browser, "sms")
    browser.wait_for(f"{HEAD}.includes('Order A-1')")
    empty(browser, "v1-body")
    write(browser, "Parcel {{ data.id }} isn\u2019t here")
    browser.wait_for(f"{HEAD}.includes('Parcel A-1 isn\u2019t here')")
    browser.wait_for(SAVED)
    assert drafted() == ["Parcel {{ data.id }} isn\u2019t here", "Bestellung {{ data.id }}"]
    browser.evaluate("document.querySelector('[data-put]').click()")
    browser.wait_for(f'{HEAD}.includes("Parcel A-1 isn\'t here")')
    assert browser.evaluate(f"{FORM}.elements['v1-body'].value") == "Parcel {{ data.id }} isn't here"


def test_a_mistake_is_marked_in_its_line_and_leads_there(browser: Chromium, page: str) -> None:
    choose(browser, "sms")
    empty(browser, "v1-body")
    write(browser, "One\nTwo {{ data.totl }}")
    marked = "document.querySelector('#variant-1 .n-code-lines > .is-error')"
    browser.wait_for(marked)
    assert browser.evaluate(f"{marked}.dataset.wrong") == "`data.totl` is missing. Did you mean `data.total`?"
    assert browser.evaluate(f"{marked}.querySelector('mark').textContent") == "data.totl"
    browser.evaluate("document.querySelector('[data-go]').click()")
    assert browser.evaluate("[document.activeElement.name, document.activeElement.selectionStart]") == ["v1-body", 11]
    browser.evaluate("document.querySelector('[data-put]').click()")
    browser.wait_for(f"{HEAD}.includes('Two 12')")


def test_variables_are_offered_and_taken_by_keyboard(browser: Chromium, page: str) -> None:
    choose(browser, "sms")
    empty(browser, "v1-body")
    write(browser, "Hi {{ data.t")
    browser.wait_for("!document.querySelector('.n-choices:not([hidden])').hidden")
    assert (
        browser.evaluate("document.querySelector('.n-choices:not([hidden]) [aria-selected=true]').textContent")
        == "data.total"
    )
    browser.press("Enter")
    write(browser, " | upc")
    browser.press("Enter")
    write(browser, " }}")
    assert browser.evaluate(f"{FORM}.elements['v1-body'].value") == "Hi {{ data.total | upcase }}"
    browser.wait_for(f"{HEAD}.includes('Hi 12')")


def test_tabs_are_walked_with_the_arrows(browser: Chromium, page: str) -> None:
    choose(browser, "sms")
    browser.evaluate("document.querySelector('[data-locales] [aria-selected=true]').focus()")
    press_arrow(browser, "ArrowRight")
    assert browser.evaluate("document.activeElement.textContent") == "de"
    browser.wait_for(f"{HEAD}.includes('Bestellung A-1')")
    assert browser.evaluate("[...document.querySelectorAll('[data-variant]')].map(one => one.hidden)") == [
        True,
        True,
        False,
    ]
    assert "fr missing: 1 recipient will get the default" in browser.evaluate(REST)


def press_arrow(browser: Chromium, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)


def test_somebody_elses_draft_is_not_written_over(browser: Chromium, page: str, acme: Tenant) -> None:
    cast.draft(acme, "order", cast.sms("hers"))
    choose(browser, "sms")
    empty(browser, "v1-body")
    write(browser, "mine")
    browser.wait_for("!document.querySelector('[data-newer]').hidden")
    assert "Another draft was saved at" in browser.evaluate("document.querySelector('[data-newer]').textContent")
    assert drafted() == ["hers"]
    browser.evaluate("document.querySelector('[data-newer] [name=over]').click()")
    browser.wait_for("document.body?.textContent.includes('The draft is saved.')")
    assert drafted() == ["mine", "Bestellung {{ data.id }}"]


def test_a_button_waits_for_the_draft_that_is_on_its_way(browser: Chromium, page: str) -> None:
    late = "(...a) => asked(...a).then(async (r) => { if (a[0].includes('autosave')) { window.isThere = true; await go; } return r; })"
    browser.evaluate(
        f"const asked = window.fetch, go = new Promise((r) => {{ window.go = r; }}); window.fetch = {late}; 0"
    )
    choose(browser, "sms")
    empty(browser, "v1-body")
    write(browser, "mine")
    browser.wait_for("window.isThere")
    browser.evaluate(f"{FORM}.querySelector('.n-sticky [name=save]').click(); window.go()")
    browser.wait_for("document.body?.textContent.includes('The draft is saved.')")
    assert drafted() == ["mine", "Bestellung {{ data.id }}"]


def test_a_mail_is_looked_at_with_a_real_person_at_night_on_a_phone(browser: Chromium, page: str) -> None:
    frame = "document.querySelector('[data-mail]')"
    browser.wait_for(f"{frame}.srcdoc.includes('Hello Zoe')")
    assert browser.evaluate(f"{frame}.getAttribute('sandbox')") == ""
    browser.evaluate(f"{FORM}.elements.person.focus()")
    browser.wait_for("document.querySelector('#people option')")
    assert browser.evaluate("document.querySelector('#people option').value") == "rosa"
    write(browser, "rosa")
    browser.wait_for(f"{frame}.srcdoc.includes('Hello Rosa')")
    browser.evaluate(f"{FORM}.querySelector('[value=dark]').click(); {FORM}.elements.phone.click()")
    browser.wait_for("document.querySelector('[data-frame]').classList.contains('is-phone')")
    assert browser.evaluate(f"{frame}.clientWidth") == 320
    assert drafted() == []


def test_nothing_is_wrong_for_assistive_technology_and_nothing_is_too_wide(
    browser: Chromium, page: str, acme: Tenant
) -> None:
    browser.errors.clear()
    cast.draft(
        acme,
        "order",
        cast.sms("Two {{ data.totl }} isn\u2019t"),
        Source(Channel.PUSH, "ar", {"title": "T", "body": "B"}),
    )
    compare = page.replace("/change/", "/compare/")
    versions = page.replace("/change/", "/versions/")
    script = AXE.read_text()
    for width, is_dark, url in (
        (1280, False, page),
        (360, True, page),
        (360, False, compare),
        (1280, True, compare),
        (360, False, versions),
    ):
        browser.size(width, 800, is_dark=is_dark)
        if url == page:
            opened(browser, url)
        else:
            browser.open(url)
        browser.evaluate(script)
        assert browser.evaluate(WRONG) == [], (url, width)
        assert browser.evaluate(WIDE) is False, (url, width)
    assert browser.errors == []
    assert json.dumps(browser.foreign) == "[]"
