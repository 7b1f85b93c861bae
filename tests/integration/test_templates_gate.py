"""The publish gate: real messages, by the draft, before anybody gets it."""

from typing import Any

import pytest

from apps.audience.models import Recipient
from apps.core.enums import Channel, KeyMode
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.events.models import EventType
from apps.ledger.models import Notification
from apps.ledger.sensitive import ERASED
from apps.templates import gate, models
from apps.templates.checking import Lack
from apps.templates.parsed import published
from tests.integration.dispatch_cast import counts, notify, people
from tests.integration.dispatch_cast import tenant as the_tenant
from tests.integration.templates_cast import draft, email, publish, sms
from tests.integration.templates_cast import tenant as acme_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Tenant:
    tenant = acme_of()
    EventType.objects.create(
        tenant_id=tenant.id,
        key="order.shipped",
        name="Order shipped",
        category="transactional",
        template_key="order",
        channels=["email"],
        sensitive_keys=["code"],
    )
    return tenant


def sent(number: int, *, locale: str = "", data: dict[str, Any] | None = None, **options: Any) -> None:
    crowd = [
        Recipient.objects.create(tenant_id=the_tenant(), user_id=f"{locale}{n}", locale=locale).id
        for n in range(number)
    ]
    options = {"event_type": "order.shipped", "mode": KeyMode.LIVE} | options
    notify(crowd, data=data if data is not None else {"id": "A-1", "code": "4711"}, **options)


def current(acme: Tenant) -> int:
    return published([(acme.id, "order")])[acme.id, "order"].version.number


def rows(check: gate.Check) -> list[tuple[str, str, int, int, int, int, int]]:
    return [
        (one.channel.value, one.locale, one.rendered, one.broken, one.failing, one.changed, one.same)
        for one in check.results
    ]


def test_what_breaks_is_named_and_stands_in_the_way(acme: Tenant) -> None:
    publish(acme, "order", sms("Order {{ data.id }}"), email("<p>{{ data.id }}</p>"), sample={"id": "A-1"})
    sent(3)
    sent(2, locale="de-CH", data={"id": "A-2", "total": 9})
    sent(1, locale="fr", template_key="order", event_type="", data={"id": "A-3"})
    before = counts()
    draft(
        acme,
        "order",
        sms("Order {{ data.id }}"),
        email("<p>{{ data.id }}</p>\n <p>{{ data.total }}</p>"),
        sample={"id": "A", "total": 1},
    )
    check = gate.check(tenant=acme, key="order")
    assert rows(check) == [
        ("email", "de-CH", 2, 0, 0, 2, 0),
        ("email", "en", 3, 3, 0, 0, 0),
        ("email", "fr", 1, 1, 0, 0, 0),
    ]
    assert (check.payloads, check.erased, check.is_cut, check.number, check.against) == (6, 0, False, 2, 1)
    assert check.lacks == (Lack("data.total", ("api requests by template", "event order.shipped")),)
    assert check.text == (
        "Of 6 messages (6 renderings) with version 2: 4 would break, 2 would say something else. "
        "`data.total` is not sent by api requests by template, event order.shipped."
    )
    (broken,) = check.results[1].examples
    assert (broken.kind, broken.field, broken.detail, broken.line, broken.column) == (
        "break",
        "html",
        "`data.total` is missing.",
        2,
        8,
    )
    with pytest.raises(Problem) as caught:
        gate.publish_checked(tenant=acme, key="order", by="mira", seen=check.seen)
    assert (caught.value.code, caught.value.detail, len(caught.value.errors)) == (Code.GATE_BREAKS, check.text, 2)
    error = caught.value.errors[0]
    assert (error.pointer, error.line, error.column) == ("/email/en/html", 2, 8)
    assert error.detail.endswith("email en: `data.total` is missing.")
    assert (current(acme), counts()) == (1, before)


def test_what_changes_wants_to_be_seen(acme: Tenant) -> None:
    publish(acme, "order", email("<p>Order {{ data.id }}, code {{ data.code }}</p>"), sample={"id": "A", "code": "1"})
    sent(3)
    draft(acme, "order", email("<p>Parcel {{ data.id }}, code {{ data.code }}</p>"), sample={"id": "A", "code": "1"})
    check = gate.check(tenant=acme, key="order")
    assert (check.has_breaks, check.has_changes, rows(check)) == (False, True, [("email", "en", 3, 0, 0, 3, 0)])
    text, html = sorted(check.results[0].examples, key=lambda one: one.field, reverse=True)
    assert html.diff[-2:] != text.diff[-2:] and "4711" not in "".join((*html.diff, *text.diff))
    assert text.diff == ("@@ -1 +1 @@", "-Order A-1, code •••", "+Parcel A-1, code •••")
    for seen in ("", "tv_something"):
        with pytest.raises(Problem) as caught:
            gate.publish_checked(tenant=acme, key="order", by="mira", seen=seen)
        assert (caught.value.code, current(acme)) == (Code.CHANGES_NOT_SEEN, 1)
    assert gate.publish_checked(tenant=acme, key="order", by="mira", seen=check.seen) == 2
    assert current(acme) == 2


def test_what_was_seen_of_an_older_draft_is_not_enough(acme: Tenant) -> None:
    publish(acme, "order", email("<p>One</p>"))
    sent(1)
    draft(acme, "order", email("<p>Two</p>"))
    seen = gate.check(tenant=acme, key="order").seen
    draft(acme, "order", email("<p>Three</p>"))
    with pytest.raises(Problem) as caught:
        gate.publish_checked(tenant=acme, key="order", by="mira", seen=seen)
    assert (caught.value.code, current(acme)) == (Code.CHANGES_NOT_SEEN, 1)


def test_nothing_sent_and_nothing_changed_need_no_word(acme: Tenant) -> None:
    draft(acme, "order", email("<p>One</p>"))
    check = gate.check(tenant=acme, key="order")
    assert check.text == "No message of this template was sent lately: only the sample was tried."
    assert gate.publish_checked(tenant=acme, key="order", by="mira") == 1
    sent(2)
    draft(acme, "order", email("<p>One</p>"), sample={"note": "only the sample is new"})
    assert rows(gate.check(tenant=acme, key="order")) == [("email", "en", 2, 0, 0, 0, 2)]
    assert gate.publish_checked(tenant=acme, key="order", by="mira", share=5) == 2


def test_what_is_gone_is_not_held_against_it(acme: Tenant) -> None:
    publish(acme, "order", email("<p>{{ data.code }}</p>"), sample={"code": 12})
    sent(2, data={"code": ERASED})
    sent(1, locale="de", data={"code": 5})
    Notification.objects.all_tenants().filter(id__in=Notification.objects.all_tenants().order_by("-id")[:1]).update(
        sealed=None
    )
    draft(acme, "order", email("<p>{{ data.code | plus: 1 }}</p>"), sample={"code": 12})
    check = gate.check(tenant=acme, key="order")
    assert (check.payloads, check.erased, check.has_breaks) == (2, 1, False)
    assert check.text.endswith("1 message could not be tried: what they said was erased.")


def test_what_failed_before_is_no_new_break(acme: Tenant) -> None:
    publish(acme, "order", email("<p>{{ data.id }}</p>"), sample={"id": "A"})
    sent(2, data={})
    draft(acme, "order", email("<p>No. {{ data.id }}</p>"), sample={"id": "A"})
    check = gate.check(tenant=acme, key="order")
    assert (rows(check), check.has_breaks, check.lacks) == ([("email", "en", 2, 0, 2, 0, 0)], False, ())
    assert gate.publish_checked(tenant=acme, key="order", by="mira") == 2


def test_a_channel_that_is_taken_away_breaks(acme: Tenant) -> None:
    publish(acme, "order", sms("Hi"), email("<p>Hi</p>"))
    sent(2, channels=(Channel.SMS,))
    draft(acme, "order", email("<p>Hi</p>"))
    check = gate.check(tenant=acme, key="order")
    assert rows(check) == [("sms", "en", 2, 2, 0, 0, 0)]
    assert check.results[0].examples[0].detail == "There is no content for sms."


def test_each_locale_has_its_messages_and_no_more_than_asked_for(acme: Tenant) -> None:
    publish(acme, "order", email("<p>Hi</p>"))
    sent(1, locale="de")
    sent(9)
    draft(acme, "order", email("<p>Ho</p>"))
    check = gate.check(tenant=acme, key="order", last=4)
    assert [(one.locale, one.rendered) for one in check.results] == [("de", 1), ("en", 4)]
    cut = gate.check(tenant=acme, key="order", seconds=0.0)
    assert (cut.payloads, cut.is_cut) == (1, True)
    assert cut.text.endswith("Time was up: older messages were not tried.")


def test_only_this_templates_messages_count_and_live_ones_first(acme: Tenant) -> None:
    publish(acme, "order", email("<p>Hi</p>"))
    publish(acme, "other", email("<p>Hi</p>"))
    crowd = people(2)
    notify(crowd, template_key="other", mode=KeyMode.LIVE)
    notify(crowd, template_key="other", event_type="order.shipped", mode=KeyMode.LIVE)
    notify(crowd, mode=KeyMode.LIVE)
    notify(crowd[:1], template_key="order", mode=KeyMode.TEST)
    draft(acme, "order", email("<p>Ho</p>"))
    assert gate.check(tenant=acme, key="order").payloads == 1
    notify(crowd, template_key="order", mode=KeyMode.LIVE)
    Notification.objects.all_tenants().filter(mode="live", template_key="order").update(source="test_send")
    assert gate.check(tenant=acme, key="order").payloads == 1
    notify(crowd, template_key="order", mode=KeyMode.LIVE)
    assert gate.check(tenant=acme, key="order").payloads == 2


def test_a_campaigns_messages_count_by_their_variants_template(acme: Tenant) -> None:
    from apps.core import ids
    from apps.ledger.broadcasts import Content, open_broadcast

    publish(acme, "order", email("<p>{{ data.x }}</p>"), sample={"x": "1"})
    version = models.TemplateVersion.objects.of(acme).get().id
    broadcast = ids.new()
    contents = {0: Content("order", version), 1: Content("other", version)}
    open_broadcast(id=broadcast, tenant_id=acme.id, contents=contents, data={"x": "spring"})
    made = notify(people(3), mode=KeyMode.LIVE)
    for place, id_ in enumerate(made):
        Notification.objects.all_tenants().filter(id=id_).update(
            broadcast_id=broadcast, variant=min(place, 1), sealed=None
        )
    draft(acme, "order", email("<p>{{ data.x }} {{ data.y }}</p>"), sample={"x": "1", "y": "2"})
    check = gate.check(tenant=acme, key="order")
    assert (check.payloads, check.lacks) == (1, (Lack("data.y", ("a campaign",)),))


def test_a_broken_draft_is_not_tried_and_a_layout_has_nothing_to_try(acme: Tenant) -> None:
    publish(acme, "order", email("<p>Hi</p>"))
    sent(1)
    draft(acme, "order", email("<p>{{ nothing }</p>"))
    check = gate.check(tenant=acme, key="order")
    assert (check.payloads, len(check.errors), check.has_breaks) == (0, 1, True)
    assert check.text == "One thing is wrong with the draft itself; no message was tried."
    with pytest.raises(Problem) as caught:
        gate.publish_checked(tenant=acme, key="order", by="mira")
    assert caught.value.code is Code.TEMPLATE_INVALID
    for key, code in (("nothing", Code.NOT_FOUND), ("a\x00", Code.NOT_FOUND)):
        with pytest.raises(Problem) as caught:
            gate.check(tenant=acme, key=key)
        assert caught.value.code is code
    with pytest.raises(Problem) as caught:
        gate.check(tenant=acme_of("globex"), key="order")
    assert caught.value.code is Code.NOT_FOUND
