"""Event types by hand, under the same rules as through the API; and the clockwork's tables."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.core.enums import GroupBy
from apps.core.types import Grouping, Tenant
from apps.events.models import EventType
from apps.events.selectors import event_type, forget_cached
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import mira as mira

pytestmark = pytest.mark.django_db

ADD = reverse("admin:events_eventtype_add")


@pytest.fixture
def acme() -> Tenant:
    forget_cached()
    return cast.acme()


def typed(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    known = {
        "tenant": str(tenant.id),
        "key": "order.shipped",
        "name": "Order shipped",
        "category": "transactional",
        "template_key": "order",
        "channels": ["push", "email"],
        "fallback": "push, sms",
        "fallback_after_seconds": "300",
        "resend_in_doubt": "once",
        "dedup_window_seconds": "60",
        "sensitive_keys": "code, otp",
        "owner": "Logistics",
    }
    return known | fields


def test_an_event_type_is_defined(acme: Tenant, mira: Client) -> None:
    answer = mira.post(ADD, typed(acme))
    assert answer.status_code == 302, answer.context_data["errors"]
    found = event_type(acme.id, "order.shipped")
    assert found is not None
    assert [channel.value for channel in found.channels] == ["push", "email"]
    assert [channel.value for channel in found.fallback] == ["push", "sms"]
    assert (found.sensitive_keys, found.dedup_window.total_seconds()) == (("code", "otp"), 60)
    assert (found.fallback_after.total_seconds(), found.resend_in_doubt.value) == (300, "once")
    assert (found.grouping, found.overflows) == (None, False)


def test_it_says_what_is_summed_up(acme: Tenant, mira: Client) -> None:
    grouped = {"group_by": "actor", "group_window_seconds": "300", "group_low_only": "on", "overflows": "on"}
    answer = mira.post(ADD, typed(acme, **grouped))
    assert answer.status_code == 302, answer.context_data["errors"]
    found = event_type(acme.id, "order.shipped")
    assert found is not None
    assert found.grouping == Grouping(GroupBy.ACTOR, timedelta(seconds=300), 100, leads=False, low_only=True)
    assert found.overflows


@pytest.mark.parametrize(
    "wrong",
    [
        {"group_by": "actor"},
        {"group_window_seconds": "60"},
        {"group_leads": "on"},
        {"group_by": "type", "group_window_seconds": "60", "category": "critical", "critical_reason": "x"},
        {"group_by": "type", "group_window_seconds": "60", "group_most": "1"},
    ],
)
def test_it_refuses_half_a_grouping(acme: Tenant, mira: Client, wrong: dict[str, str]) -> None:
    assert mira.post(ADD, typed(acme, **wrong)).status_code == 200
    assert not EventType.objects.of(acme).exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "Order Shipped"),
        ("category", "vital"),
        ("channels", ["pigeon"]),
        ("fallback", "push, pigeon"),
        ("fallback", "push, push"),
        ("fallback_after_seconds", "86401"),
        ("fallback_after_seconds", "-1"),
        ("resend_in_doubt", "always"),
        ("sensitive_keys", "code, code"),
        ("sensitive_keys", "x" * 101),
        ("dedup_window_seconds", "2592001"),
    ],
)
def test_it_refuses_what_the_api_refuses(acme: Tenant, mira: Client, field: str, value: Any) -> None:
    answer = mira.post(ADD, typed(acme, **{field: value}))
    assert list(answer.context_data["adminform"].form.errors) == [field]
    assert not EventType.objects.exists()


def test_a_change_takes_effect_at_once_and_leaves_the_key(acme: Tenant, mira: Client) -> None:
    mira.post(ADD, typed(acme))
    assert event_type(acme.id, "order.shipped") is not None
    page = reverse("admin:events_eventtype_change", args=[EventType.objects.get().id])
    assert 'value="push, sms"' in mira.get(page).content.decode()
    mira.post(page, typed(acme, key="order.other", fallback="", category="social"))
    found = event_type(acme.id, "order.shipped")
    assert found is not None
    assert (found.fallback, found.category) == ((), "social")


def test_removing_takes_effect_at_once(acme: Tenant, mira: Client) -> None:
    mira.post(ADD, typed(acme))
    assert event_type(acme.id, "order.shipped") is not None
    mira.post(reverse("admin:events_eventtype_delete", args=[EventType.objects.get().id]), {"post": "yes"})
    assert event_type(acme.id, "order.shipped") is None


def test_the_clockwork_is_shown(mira: Client) -> None:
    every = IntervalSchedule.objects.create(every=1, period="seconds")
    task = PeriodicTask.objects.create(name="tick", task="dispatch.tick", interval=every)
    assert "dispatch.tick" in mira.get(reverse("admin:django_celery_beat_periodictask_add")).content.decode()
    for model, id_ in (("periodictask", task.id), ("intervalschedule", every.id)):
        assert mira.get(reverse(f"admin:django_celery_beat_{model}_change", args=[id_])).status_code == 200
    for model in ("intervalschedule", "crontabschedule", "clockedschedule", "solarschedule"):
        assert mira.get(reverse(f"admin:django_celery_beat_{model}_add")).status_code == 200


def test_the_form_refuses_a_circle_of_waiting(acme: Tenant, mira: Client) -> None:
    mira.post(ADD, typed(acme, key="a", waits_for="b", waits_seconds="5"))
    answer = mira.post(ADD, typed(acme, key="b", waits_for="a", waits_seconds="5"))
    assert list(answer.context_data["adminform"].form.errors) == ["waits_for"]
    assert [kind.key for kind in EventType.objects.all()] == ["a"]
