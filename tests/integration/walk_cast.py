"""Somebody who walks through the admin with a browser and no mouse, and looks at every screen: by day and by night, on a desk, on a phone.

NOTIFIER_PICTURES: a directory where pictures of the screens are put.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.channels.providers.sandbox import SandboxProvider
from apps.channels.sandbox.wire import BATCH_LIMIT, SandboxEvent, SandboxEvents, encode
from apps.channels.selectors import account_by_key
from apps.core import clock, ids
from apps.core.enums import Channel
from apps.core.types import Account, OutboundMessage, Outcome, ProviderCall, Receipt
from apps.ledger.models import Attempt
from apps.receipts import services as receipts
from apps.receipts import tracking
from apps.templates.proving import Source
from tests.integration.browser import Chromium
from tests.integration.dispatch_cast import ACCEPTED, Carrier
from tests.integration.tracking_cast import SAFARI

AXE = (Path(__file__).parents[1] / "vendor" / "axe-4.11.0.min.js").read_text()
# the whole page, unfold's frame included
WRONG = (
    "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.filter(v => /serious|critical/.test(v.impact))"
    ".map(v => `${v.id} (${v.impact}): ${v.nodes[0].html}`))"
)
# what the eye sees by night is asked of axe, too; what the page says is the same
WRONG_COLOURS = WRONG.replace("{resultTypes", "{runOnly: ['color-contrast'], resultTypes")
WIDE = (
    "document.documentElement.scrollWidth > innerWidth && [...document.querySelectorAll('main *, #content *')]"
    ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map(e => e.outerHTML.slice(0, 200)).join(' | ')"
)
# what htmx still waits for, in the words of the pages
QUIET = (
    "document.readyState === 'complete' && !document.querySelector('.htmx-request')"
    " && ![...document.querySelectorAll('p.n-dim')].some(p => /^(counting|rendering|looking|Counting|Working it out)…/.test(p.textContent))"
)
# a control by what it is called, as somebody who listens would find it
NAMED = (
    "['#content, #main', 'body'].flatMap(where => [...document.querySelectorAll(where)]).flatMap("
    "where => [...where.querySelectorAll('button, a[href], [type=submit]')])"
    ".find(b => b.checkVisibility() && b.tabIndex >= 0 && [(b.localName === 'input' ? b.value : b.textContent).trim()]"
    ".some(said => said.startsWith({0}) || said.endsWith({0})))"
)
SHOWN = (
    "(e => e.matches(':focus-visible') && (getComputedStyle(e).outlineStyle !== 'none' || getComputedStyle(e).boxShadow !== 'none'))"
    "(document.activeElement)"
)
PICTURES = os.environ.get("NOTIFIER_PICTURES", "")
TRACKED = re.compile(r'"[^"]*(/[co]/[^"]+)"')
ACCOUNT = "acme-mail"
LETTERS = {
    "": ("Spring begins, {{ name }}", "New colours, and 20 % off until {{ data.ends }}.", "Stop these mails"),
    "de": ("Der Frühling beginnt, {{ name }}", "Neue Farben, und 20 % weniger bis {{ data.ends }}.", "Abmelden"),
    "ar": ("بدأ الربيع يا {{ name }}", "ألوان جديدة وخصم ٢٠ ٪ حتى {{ data.ends }}.", "إلغاء الاشتراك"),
}
FRIEND = {"": "there", "de": "Sie", "ar": "صديقنا"}
DESK, PHONE, FAR = 1280, 360, 120
NAMES = ("Zoe", "Rosa", "Mira", "Otto", "Bea", "Layla", "Noah", "Yuki", "Omar", "Lena")
PLACES = (
    ("de-CH", "Europe/Zurich"),
    ("en", "America/New_York"),
    ("ar", "Asia/Dubai"),
    ("de", "Europe/Berlin"),
    ("en", "Asia/Tokyo"),
)


class Walker:
    """`seen`: names of the screens that were looked at."""

    def __init__(self, browser: Chromium, address: str) -> None:
        self.browser, self.address = browser, address
        self.seen: list[str] = []

    def is_now(self, client: Client) -> None:
        name = settings.SESSION_COOKIE_NAME
        self.browser.call("Network.setCookie", name=name, value=client.cookies[name].value, url=self.address)

    def goes(self, path: str) -> None:
        self.browser.size(DESK, 900)
        self.browser.open("about:blank")
        self.browser.open(self.address + path)
        self.settled()

    def begins(self, path: str, then: str, **fields: str) -> None:
        """Something new: the form's fields by their names, and what its page says once it is saved."""
        self.goes(path)
        for name, text in fields.items():
            self.writes(f"#id_{name}", text)
        self.leaves("Save", then)

    def settled(self) -> None:
        self.browser.wait_for(QUIET)

    def sees(self, text: str) -> None:
        try:
            self.browser.wait_for(f"document.body?.innerText?.toLowerCase().includes({json.dumps(text.lower())})")
        except AssertionError as error:
            shown = self.browser.evaluate("document.querySelector('#content, #main')?.innerText")
            raise AssertionError(f"{text!r} is not there: {shown}") from error
        self.settled()

    def reaches(self, text: str) -> None:
        """By Tab alone, from the beginning of the page's own part; it can be seen where one is."""
        self.browser.wait_for(NAMED.format(json.dumps(text)))
        begin = "(e => { e.tabIndex = -1; e.focus(); e.blur() })(document.querySelector('#content, #main') || document.body)"
        self.browser.evaluate(begin)
        here = f"document.activeElement === {NAMED.format(json.dumps(text))}"
        for _ in range(FAR):
            self.browser.press("Tab")
            if self.browser.evaluate(here):
                assert self.browser.evaluate(SHOWN), f"One does not see that one is at {text!r}."
                return
        raise AssertionError(f"Tab does not lead to {text!r}.")

    def presses(self, text: str, then: str = "") -> None:
        """Reaches it, and presses Enter. `then`: what the next page says."""
        self.reaches(text)
        self.browser.evaluate("document.body.dataset.before = 1")
        self.browser.press("Enter")
        if then:
            self.sees(then)

    def leaves(self, text: str, then: str) -> None:
        """Presses what leads to another page."""
        self.presses(text)
        self.browser.wait_for("document.body && !document.body.dataset.before && document.readyState === 'complete'")
        self.sees(then)

    def writes(self, selector: str, text: str) -> None:
        """In the place of what stands there, by the keyboard; and goes on to the next field."""
        field = f"document.querySelector({json.dumps(selector)})"
        self.browser.wait_for(field)
        self.browser.evaluate(f"{field}.focus(), {field}.select?.()")
        self.browser.call("Input.insertText", text=text)
        self.browser.press("Tab")

    def chooses(self, selector: str, value: str) -> None:
        """Of a list, or a time: browsers draw these themselves."""
        field = f"document.querySelector({json.dumps(selector)})"
        self.browser.wait_for(field)
        self.browser.evaluate(
            f"(f => {{ f.focus(); f.value = {json.dumps(value)}; f.dispatchEvent(new Event('input', {{bubbles: true}}));"
            f" f.dispatchEvent(new Event('change', {{bubbles: true}})); }})({field})"
        )

    def ticks(self, selector: str) -> None:
        """With the space bar."""
        self.browser.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self.browser.press(" ")

    def gives(self, path: Path) -> None:
        """The file to the page's field for files."""
        self.browser.call("DOM.enable")
        root = self.browser.call("DOM.getDocument")["root"]["nodeId"]
        node = self.browser.call("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
        self.browser.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def looks(self, name: str, *, is_shown: bool = True) -> None:
        """Nothing serious for assistive technology, nothing too wide for a phone, nothing asked of others, nothing said on the console.
        `is_shown`: with pictures."""
        browser = self.browser
        self.settled()
        browser.evaluate(AXE)
        is_shown = is_shown and bool(PICTURES)
        for width, is_dark in _looks(is_whole=is_shown and not name.startswith("composer")):
            browser.size(width, 900, is_dark=is_dark)
            browser.wait_for(f"innerWidth === {width}")
            browser.evaluate(f"document.documentElement.classList.toggle('dark', {str(is_dark).lower()})")
            browser.evaluate("document.activeElement?.blur(); scrollTo(0, 0)")
            if (width == PHONE) == is_dark:
                assert browser.evaluate(WRONG_COLOURS if is_dark else WRONG) == [], (name, width)
            assert not browser.evaluate(WIDE), (name, width, browser.evaluate(WIDE))
            if is_shown:
                self.pictures(name, width, is_dark)
        browser.size(DESK, 900)
        browser.evaluate("document.documentElement.classList.remove('dark')")
        assert (browser.foreign, browser.errors) == ([], []), name
        self.seen.append(name)

    def pictures(self, name: str, width: int, is_dark: bool) -> None:
        screen, light = "desk" if width == DESK else "phone", "night" if is_dark else "day"
        tall = self.browser.evaluate("Math.min(1600, document.documentElement.scrollHeight)")
        self.browser.size(width, int(max(tall, 700)), is_dark=is_dark)
        self.browser.call("Emulation.setScrollbarsHidden", hidden=True)
        self.browser.evaluate(
            "Promise.all([...document.querySelectorAll('iframe')].map(one => new Promise(done => {"
            " one.onload = done; one.srcdoc += ' ' }))).then(() => new Promise(done => setTimeout(done, 300)))"
        )
        self.browser.picture(Path(PICTURES) / f"{name}-{screen}-{light}.png")
        self.browser.call("Emulation.setScrollbarsHidden", hidden=False)
        self.browser.size(width, 900, is_dark=is_dark)


def _looks(*, is_whole: bool) -> Iterator[tuple[int, bool]]:
    yield DESK, False
    yield PHONE, True
    if is_whole:
        yield DESK, True
        yield PHONE, False


class Post(Carrier):
    """A sandbox that gives every message a number of its own, refuses `refused` of them, and remembers."""

    def __init__(self, refused: int, refusal: Outcome) -> None:
        super().__init__()
        self.refused, self.refusal = refused, refusal

    def send(self, account: Any, messages: Any, *, deadline: float, **told: Any) -> list[Outcome]:
        super().send(account, messages, deadline=deadline, **told)
        said = [ACCEPTED] * len(messages)
        for place in range(min(self.refused, len(said))):
            said[place] = self.refusal
        self.refused = max(0, self.refused - len(said))
        return said

    def parse_receipts(self, account: Account, call: ProviderCall) -> list[Receipt]:
        return SandboxProvider().parse_receipts(account, call)


def letter(locale: str) -> Source:
    title, text, stop = LETTERS[locale]
    title = title.replace("name", f"recipient.first_name | default: '{FRIEND[locale]}'")
    side = ' dir="rtl"' if locale == "ar" else ' dir="ltr"'
    html = (
        f'<!doctype html>\n<html lang="{locale or "en"}"{side}>\n<head><title>{title}</title></head>\n'
        '<body style="margin:0;background:#f2f5ee;font-family:sans-serif;color:#22301c">\n'
        '<div style="max-width:480px;margin:24px auto;padding:32px;background:#ffffff;border-radius:12px">\n'
        f'<h1 style="font-size:26px;color:#2c5f2d">{title}</h1>\n<p style="font-size:16px;line-height:1.6">{text}</p>\n'
        '<p><a href="https://shop.example/spring" style="display:inline-block;padding:12px 24px;background:#2c5f2d;color:#ffffff;'
        'border-radius:8px">shop.example</a></p>\n'
        '<p style="font-size:14px"><a href="https://shop.example/garden" style="color:#2c5f2d">shop.example/garden</a></p>\n'
        f'<p style="font-size:14px"><a href="{{{{ vars.unsubscribe_url }}}}" style="color:#3d5238">{stop}</a></p>\n</div>\n</body>\n</html>'
    )
    return Source(Channel.EMAIL, locale, {"subject": title, "preheader": text, "html": html})


def people_csv(count: int) -> str:
    """`count` people in three languages and four zones, one in twenty without a first name; and three rows that are wrong."""
    lines = ["Customer id,Email,First name,Language,Time zone,Points,Customer since"]
    for n in range(count):
        (locale, zone), name = PLACES[n % 5], NAMES[n % 10]
        since = f"2026-{1 + n % 9:02d}-{1 + n % 27:02d}"
        lines.append(f"u{n},{name.lower()}.{n}@example.com,{name if n % 20 else ''},{locale},{zone},{n % 97},{since}")
    wrong = [
        "x1,nobody,Nobody,de,Europe/Berlin,1,",
        "x2,x2@example.com,X,en,Mars/Base,1,",
        "x3,x3@example.com,X,en,,many,",
    ]
    return "\n".join([*lines, *wrong]) + "\n"


def answer(post: Post) -> None:
    """Receipts for all that was taken: two bounce, the others arrive. Those are then read."""
    account = account_by_key(ACCOUNT)
    assert account is not None
    at = clock.now().timestamp()
    accepted = Attempt.objects.all_tenants().filter(kind="accepted").values_list("id", flat=True)
    taken = {ids.show(ids.ATTEMPT, attempt) for attempt in accepted}
    mails = [message for message in post.messages if message.reference in taken]
    events = [
        SandboxEvent(f"{mail.reference}-end", "bounced" if n < 2 else "delivered", at + n % 12, mail.reference, "m1")
        for n, mail in enumerate(mails)
    ]
    for start in range(0, len(events), BATCH_LIMIT):
        said = ProviderCall("", {}, encode(SandboxEvents(events[start : start + BATCH_LIMIT])))
        receipts.store_call(account=account, call=said)
    assert receipts.apply_due(ends=monotonic() + 60)
    _read(mails[2:])


def _read(mails: Sequence[OutboundMessage]) -> None:
    """A minute later three of five look at the picture, one of five follows the button, one of ten the other link; for one of twenty a
    scanner follows both."""
    later, reader = clock.now() + timedelta(minutes=1), Client()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: later)
        for n, mail in enumerate(mails):
            button, other, picture = TRACKED.findall(mail.content["html"])
            for place in [*[picture] * (n % 5 < 3), *[button] * (n % 5 == 1), *[other] * (n % 10 == 1)]:
                assert reader.get(place, headers=SAFARI).status_code in {200, 302}
            if n % 20 == 0:
                for place in (button, other):
                    assert reader.get(place, headers={"User-Agent": "Proofpoint"}).status_code == 302
    assert tracking.apply_tracked(ends=monotonic() + 60)
