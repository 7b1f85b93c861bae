"""What people said no to per day, and how much of what tenants send is critical."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.channels.models import Alert
from apps.core import clock, ids
from apps.core.enums import Category, KeyMode
from apps.core.types import Author, Change, Mute
from apps.core.types.changes import switched
from apps.events.services import put_event_type
from apps.insights import critical_share, fatigue
from apps.insights.models import FatigueDay
from apps.ledger.models import Delivery, DeliveryEvent, Notification
from apps.preferences.changing import change_choices
from apps.tenants.models import Tenant
from apps.tenants.selectors import tenant_by_id
from tests.integration import admin_cast
from tests.integration.dispatch_cast import carrier, endpoint, notify, person, route, rung, tenant

__all__ = ["carrier", "rung"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("carrier", "rung")]
DAY = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NO = switched("category:social", "*", False)


def sent(recipient: UUID, event_type: str = "post.liked", *, mode: KeyMode = KeyMode.LIVE, at: datetime = DAY) -> UUID:
    """On that day."""
    [made] = notify([recipient], event_type=event_type, category=Category.SOCIAL, content={"title": "x", "body": "y"})
    route("social")
    rows = Delivery.objects.all_tenants().filter(notification_id=made)
    rows.update(status="sent", sent_at=at, mode=mode)
    Notification.objects.all_tenants().filter(id=made).update(mode=mode)
    return made


def said(
    recipient: UUID, change: Change, about: UUID | None = None, *, source: str = "one_click", minute: int = 0
) -> None:
    by = Author(source, notification_id=about)
    change_choices(tenant_id=tenant(), recipient_id=recipient, change=change, by=by, at=DAY + timedelta(minutes=minute))


def counted(now: datetime = DAY) -> list[tuple[str, str, int, int, int, int]]:
    fatigue.count(now)
    rows = FatigueDay.objects.all_tenants().filter(day=DAY.date()).order_by("event_type", "category")
    return list(rows.values_list("event_type", "category", "sent", "opt_outs", "mutes", "complaints"))


def complained(notification: UUID) -> None:
    delivery = Delivery.objects.all_tenants().get(notification_id=notification)
    DeliveryEvent(
        id=ids.new(),
        tenant_id=tenant(),
        notification_id=notification,
        delivery_id=delivery.id,
        kind="complained",
        at=DAY,
    ).save(force_insert=True)


def test_each_no_counts_for_the_message_that_led_to_it() -> None:
    rosa = person()
    endpoint(rosa)
    first, second = sent(rosa), sent(rosa, "order.shipped")
    sent(rosa, mode=KeyMode.TEST)
    said(rosa, NO, about=first)
    said(rosa, Change(muted=(Mute("order.*", "*", clock.now() + timedelta(days=1)),)), about=second)
    complained(second)
    expected = [("order.shipped", "social", 1, 0, 1, 1), ("post.liked", "social", 1, 1, 0, 0)]
    assert counted() == expected
    assert counted(DAY + timedelta(days=1)) == expected


def test_without_a_message_it_counts_for_what_it_is_about() -> None:
    rosa, owner = person(), tenant_by_id(tenant())
    assert owner is not None
    put_event_type(tenant=owner, key="post.liked", name="Liked", category=Category.SOCIAL)
    said(rosa, switched("post.liked", "email", False), source="settings_page")
    said(rosa, switched("category:transactional", "*", False), source="api", minute=1)
    said(rosa, switched("*", "*", False), source="settings_page", minute=2)
    said(rosa, switched("unknown", "*", False), source="receipt", minute=3)
    said(rosa, switched("*", "*", True), source="settings_page", minute=4)
    assert counted() == [
        ("", "marketing", 0, 1, 0, 0),
        ("", "transactional", 0, 1, 0, 0),
        ("post.liked", "social", 0, 1, 0, 0),
    ]


def test_one_act_counts_once_and_older_days_stay() -> None:
    rosa = person()
    off = tuple(switch for topic in ("a", "b") for switch in switched(topic, "*", False).switches)
    said(rosa, Change(switches=off))
    assert counted() == [("", "marketing", 0, 1, 0, 0)]
    later = DAY + timedelta(days=fatigue.DAYS)
    assert counted(later) == [("", "marketing", 0, 1, 0, 0)]


def alerts() -> list[tuple[str, bool]]:
    rows = Alert.objects.all_tenants().filter(kind=critical_share.KIND).order_by("id")
    return [(subject, ended is None) for subject, ended in rows.values_list("subject", "ended_at")]


def asked(count: int, category: Category, mode: KeyMode = KeyMode.LIVE) -> None:
    notify([person()] * count, category=category, mode=mode)


def test_too_large_a_share_of_critical_raises_one_alert_until_it_is_in_order() -> None:
    asked(21, Category.CRITICAL)
    asked(78, Category.SOCIAL)
    critical_share.watch(clock.now())
    assert alerts() == []
    asked(1, Category.SOCIAL)
    critical_share.watch(clock.now())
    critical_share.watch(clock.now())
    assert alerts() == [("acme", True)]
    text = Alert.objects.of(tenant()).get(kind=critical_share.KIND).text
    assert text.startswith("21 % of what acme sent in an hour is critical (21 of 100); 20 % is the limit.")
    asked(5, Category.SOCIAL)
    critical_share.watch(clock.now())
    assert alerts() == [("acme", False)]


def test_each_tenant_has_its_own_limit_and_test_keys_do_not_count() -> None:
    asked(100, Category.CRITICAL, KeyMode.TEST)
    critical_share.watch(clock.now())
    assert alerts() == []
    asked(100, Category.CRITICAL)
    Tenant.objects.update(critical_share_most=100)
    critical_share.watch(clock.now())
    assert alerts() == []


def test_operators_see_both() -> None:
    mira: Client = admin_cast.mira()
    rosa = person()
    endpoint(rosa)
    said(rosa, NO, about=sent(rosa))
    fatigue.count(DAY)
    page = mira.get(reverse("admin:insights_fatigueday_changelist")).content.decode()
    assert "post.liked" in page and "1000.0 (1)" in page
    asked(1, Category.CRITICAL)
    home = mira.get(reverse("admin:index")).content.decode()
    assert "Critical in the last hour" in home and "50 %" in home
