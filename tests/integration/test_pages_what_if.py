"""Would I get it? The person's own page of what would become of a message now, and of whom it depends."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audience.models import Endpoint, Recipient
from apps.channels import selectors
from apps.core import clock, ids
from apps.core.buckets import Verdict
from apps.core.enums import Channel, SuppressionReason
from apps.core.types import Author, Change, Mute, NewSuppression, OwnQuietHours, QuietHours, Switch
from apps.events.models import EventType
from apps.ledger.models import Notification
from apps.pages import visitors
from apps.preferences import choosing
from apps.preferences.changing import change_choices
from apps.preferences.models import ConsentRecord, DefaultPreference, FrequencyCap, QuietHoursRule
from apps.preferences.services import suppress
from tests.integration.bundles_cast import statements
from tests.integration.dispatch_cast import endpoint, person, rung, tenant
from tests.integration.pages_cast import Browser, catalogue

__all__ = ["rung"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]
PAGE = "would-i-get-it"
# 23:30 in Zurich
NIGHT = datetime(2026, 11, 3, 22, 30, tzinfo=UTC)
CHOSEN = "You chose this on Tuesday, November 3, 2026: on your settings page."
MINE = QuietHours(22 * 60, 8 * 60)


@pytest.fixture
def rosa(monkeypatch: pytest.MonkeyPatch) -> Browser:
    catalogue()
    recipient = person()
    Recipient.objects.update(timezone="Europe/Zurich")
    endpoint(recipient)
    monkeypatch.setattr(selectors, "has_account", lambda *_: True)
    monkeypatch.setattr(clock, "now", lambda: NIGHT)
    choosing.forget_cached()
    return Browser(recipient)


def choose(rosa: Browser, change: Change) -> None:
    by, at = Author("settings_page"), NIGHT - timedelta(hours=1)
    change_choices(tenant_id=tenant(), recipient_id=rosa.recipient, change=change, by=by, at=at)


def asked(rosa: Browser, what: str, **query: str) -> dict[str, Any]:
    """By channel: answer, when, why, and (text, anchor, who decides) of each change."""
    page = rosa.client.get(rosa.url + PAGE, {"what": what, **query})
    assert page.status_code == 200
    settings = rosa.get().content.decode()
    found = {}
    for row in page.context["rows"]:
        changes = []
        for remedy in row.get("remedies", ()):
            url, _, anchor = remedy["url"].partition("#")
            if anchor:
                assert url == rosa.url and f'id="{anchor}"' in settings, "it leads to a place that is there"
                assert f'<a href="{remedy["url"]}">' in page.content.decode()
            changes.append((remedy["text"], anchor, remedy["decides"]))
        found[row["channel"]] = (row["answer"], row.get("at", ""), row["why"], changes)
    return found


def test_it_says_yes_no_and_what_is_theirs_to_change(rosa: Browser) -> None:
    choose(rosa, Change(switches=(Switch("category:social", "email", is_on=False),)))
    found = asked(rosa, "comment.new")
    assert found["Email"] == (
        "No",
        "",
        ["You switched this kind of message off.", CHOSEN],
        [("Switch it on: Email", "c-comment_new-email", "")],
    )
    device = "A device of yours: allow notifications in the app of Acme."
    assert found["Push"] == ("No", "", ["You have no address for this channel."], [(device, "", "")])
    assert found["In the app"] == ("Yes", "", ["It comes at once."], [])
    rosa.cells(comment__new="email=on")
    assert asked(rosa, "comment.new")["Email"] == ("Yes", "", ["It comes at once."], [])


def test_it_says_when_on_their_own_clock(rosa: Browser) -> None:
    choose(rosa, Change(quiet_hours=OwnQuietHours((MINE,))))
    page = rosa.get(f"{PAGE}?what=order.paid")
    text = " ".join(re.sub(r"<[^>]+>", " ", unescape(page.content.decode())).replace("\u202f", " ").split())
    assert "Email: Later Expected: Nov 4, 2026 8:00 AM It waits for the end of your quiet hours." in text
    assert "Your time zone: Europe/Zurich" in text
    ((said, anchor, decides),) = asked(rosa, "order.paid")["Email"][3]
    assert said.replace("\u202f", " ") == "Change your quiet hours, or wait until Nov 4, 2026 8:00 AM."
    assert (anchor, decides) == ("h-quiet", "")


def test_hours_that_hold_for_everybody_are_not_theirs(rosa: Browser) -> None:
    rule = QuietHoursRule(tenant_id=tenant(), name="night", start=22 * 60, end=7 * 60, is_locked=True)
    rule.save(force_insert=True)
    choosing.forget_cached()
    answer, at, _why, ((said, anchor, decides),) = asked(rosa, "order.paid")["Email"]
    assert (answer, at.replace("\u202f", " ")) == ("Later", "Nov 4, 2026 7:00 AM")
    assert said.replace("\u202f", " ") == "Wait until Nov 4, 2026 7:00 AM."
    assert (anchor, decides) == ("", "Acme decides this.")
    QuietHoursRule.objects.update(is_locked=False)
    choosing.forget_cached()
    assert asked(rosa, "order.paid")["Email"][3][0][1:] == ("h-quiet", ""), "a rule that gives way to their own"


def test_it_says_in_which_digest(rosa: Browser) -> None:
    rosa.cells(order__paid="email=weekly")
    answer, at, why, changes = asked(rosa, "order.paid")["Email"]
    assert (answer, at.split(",")[0], why) == ("In the digest", "Nov 9", ["It waits for your next digest.", CHOSEN])
    assert changes == [("Choose single messages, not a digest: Email", "c-order_paid-email", "")]


def test_what_the_tenant_locked_is_the_tenants_to_change(rosa: Browser) -> None:
    locked = {"topic": "news.weekly", "channel": "email", "is_on": False, "is_locked": True, "reason": "By law."}
    DefaultPreference.objects.create(tenant_id=tenant(), **locked)
    choosing.forget_cached()
    why = ["Acme decided this for everybody.", "By law."]
    theirs = ("That everybody may choose this.", "", "Acme decides this.")
    assert asked(rosa, "news.weekly")["Email"] == ("No", "", why, [theirs])
    DefaultPreference.objects.update(is_on=True, digest="daily")
    choosing.forget_cached()
    answer, _at, told, changes = asked(rosa, "news.weekly")["Email"]
    assert (answer, told) == ("In the digest", ["It waits for your next digest.", *why])
    assert changes == [("Single messages instead of a digest.", "", "Acme decides this.")]


def test_a_pause_is_ended_on_the_page_and_another_mute_where_it_was_set(rosa: Browser) -> None:
    rosa.post("pause", **{"for": "day"})
    assert asked(rosa, "order.paid")["Email"][3] == [("End the pause", "h-paused", "")]
    choose(rosa, Change(muted=(Mute("order.paid", "*", NIGHT + timedelta(days=3)),)))
    pause, (said, anchor, decides) = asked(rosa, "order.paid")["Email"][3]
    assert (pause[1], anchor, said[:30]) == ("h-paused", "", "It is muted until Nov 6, 2026 ")
    assert decides == "You can end that earlier where it was chosen: on your settings page."


def test_critical_comes_and_says_over_what(rosa: Browser) -> None:
    rosa.post("pause", **{"for": "day"})
    answer, _at, why, changes = asked(rosa, "login.code")["Email"]
    over = "It comes although you chose otherwise, because it is needed for your security or safety."
    assert (answer, why[:2], changes) == ("Yes", [over, "You muted it for a time."], [])
    rosa.post("resume")
    choose(rosa, Change(quiet_hours=OwnQuietHours((MINE,))))
    assert asked(rosa, "login.code")["Email"][2] == [over]


def test_an_address_that_is_not_confirmed_or_stopped(rosa: Browser) -> None:
    Endpoint.objects.all_tenants().update(verified_at=None)
    mine = Endpoint.objects.all_tenants().get()
    anchor = f"verify-{ids.show(ids.ENDPOINT, mine.id)}"
    assert asked(rosa, "order.paid")["Email"][3] == [("Confirm your address", anchor, "")]
    Endpoint.objects.all_tenants().update(verified_at=NIGHT)
    bounced = NewSuppression(tenant(), Channel.EMAIL, mine.address_hash, "", SuppressionReason.HARD_BOUNCE, "receipt")
    suppress([bounced])
    again = "That messages may go to your address again, or another address."
    why = ["The address is suppressed after a bounce, a complaint or an opt-out.", "It bounced for good."]
    assert asked(rosa, "order.paid")["Email"][2:] == (why, [(again, "", "Acme decides this.")])


def test_several_changes_are_told_together_and_what_never_comes_is_a_no(rosa: Browser) -> None:
    choose(rosa, Change(quiet_hours=OwnQuietHours((MINE,))))
    week = {"limit": 0, "period": "week", "topic": "*", "channel": "email"}
    FrequencyCap.objects.create(tenant_id=tenant(), name="none", **week)
    choosing.forget_cached()
    answer, at, why, changes = asked(rosa, "order.paid")["Email"]
    assert (answer, at, why[-1]) == ("No", "", "And then it does not come, as things are now.")
    cap = ("That more messages are allowed, or that some time passes.", "", "Acme decides this.")
    assert [changes[0][1], changes[1]] == ["h-quiet", cap]
    assert "all of it together" in rosa.get(f"{PAGE}?what=order.paid").content.decode()


def test_what_is_in_reserve_names_the_way_before_it(rosa: Browser) -> None:
    EventType.objects.filter(key="order.paid").update(channels=[], fallback=["email", "sms"])
    found = asked(rosa, "order.paid")
    assert found["Email"][0] == "Yes"
    assert found["SMS"] == ("In reserve", "", ["It comes this way only if this one does not work: Email."], [])


def test_only_event_types_of_their_own_tenant_are_known(rosa: Browser) -> None:
    EventType.objects.create(tenant_id=tenant("globex"), key="globex.secret", name="Secret", category="social")
    for what in ("globex.secret", "nothing", "a\0b"):
        page = rosa.client.get(rosa.url + PAGE, {"what": what})
        html = page.content.decode()
        assert page.status_code == 404 and "There is no such message" in html and 'aria-describedby="unknown"' in html
        assert page.context["rows"] == [] and "globex" not in html.replace("what=globex.secret&amp;lang=", "")
    names = [kind for _category, kinds in page.context["groups"] for _key, kind, _is_asked in kinds]
    assert sorted(names) == sorted(k for k in EventType.objects.of(tenant()).values_list("name", flat=True))
    assert len(names) == 7


def test_the_form_needs_no_script_and_keeps_the_language(rosa: Browser) -> None:
    html = rosa.get(f"{PAGE}?lang=ar&what=comment.new").content.decode()
    assert '<html lang="ar" dir="rtl">' in html and "هل ستصلني؟" in html and "تصلك فورًا." in html
    assert '<form method="get"' in html and '<input type="hidden" name="lang" value="ar">' in html
    assert '<label for="what">' in html and '<option value="comment.new" selected>' in html
    german = rosa.get(f"{PAGE}?lang=de&what=comment.new").content.decode()
    assert "Würde ich sie bekommen?" in german and "Sie kommt sofort." in german
    assert f'href="{rosa.url}{PAGE}?lang=de"' in rosa.get("?lang=de").content.decode()


def test_it_changes_nothing_and_takes_few_statements(rosa: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(rosa, Change(switches=(Switch("*", "*", is_on=False),)))
    before = ConsentRecord.objects.all_tenants().count()
    rosa.get(f"{PAGE}?what=order.shipped")
    for what, count in (("", 3), ("order.paid", 9), ("order.shipped", 9)):
        with CaptureQueriesContext(connection) as seen, statements(monkeypatch) as by_hand:
            rosa.get(f"{PAGE}?what={what}")
        told = [*(query["sql"] for query in seen), *by_hand]
        assert len(told) == count and all(sql.lstrip().startswith(("SELECT", "WITH")) for sql in told), told
    assert rosa.client.post(rosa.url + PAGE, {"what": "order.paid"}).status_code == 405
    assert (ConsentRecord.objects.all_tenants().count(), Notification.objects.all_tenants().count()) == (before, 0)


def test_whoever_is_too_fast_waits_here_too(rosa: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "take", lambda buckets: Verdict(False, 1.0, ()))
    assert rosa.get(f"{PAGE}?what=order.paid").status_code == 429
