"""The story says what each answer rested on, and which notification speaks for which."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from apps.core import ids
from apps.core.enums import Category
from apps.core.types import Author
from apps.core.types.changes import switched
from apps.events import selectors as events
from apps.ledger.models import Delivery
from apps.ledger.timeline import timeline
from apps.preferences.changing import change_choices
from tests.integration.dispatch_cast import (
    carrier,
    endpoint,
    make_due,
    notify,
    person,
    route,
    rung,
    send,
    tenant,
)
from tests.integration.test_dispatch_merging import payments, said

__all__ = ["carrier", "rung"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung", "carrier")]


@pytest.fixture(autouse=True)
def _catalogue() -> Iterator[None]:
    events.forget_cached()
    yield
    events.forget_cached()


def texts(notification: UUID, *kinds: str) -> list[str]:
    return [e.text for e in timeline(tenant_id=tenant(), notification_id=notification) if e.kind in kinds]


def off(recipient: UUID) -> None:
    change_choices(
        tenant_id=tenant(),
        recipient_id=recipient,
        change=switched("*", "*", False),
        by=Author("settings"),
        at=datetime(2026, 11, 3, 9, 0, tzinfo=UTC),
    )


def test_a_choice_is_told_with_its_source_and_date() -> None:
    rosa = person()
    endpoint(rosa)
    off(rosa)
    [one] = notify([rosa])
    route()
    assert texts(one, "skipped") == [
        "Email withheld: The recipient switched this channel off "
        "(everything on every channel, from the settings page, 3 November 2026)."
    ]
    because = Delivery.objects.all_tenants().get().because
    assert because.pop("at").startswith("20")
    assert because == {
        "rule": "switched_off",
        "why": "channel_off",
        "topic": "*",
        "channel": "*",
        "source": "settings",
        "since": because["since"],
    }
    assert because["since"].startswith("2026-11-03T09:00:00")


def test_critical_tells_what_it_overrode() -> None:
    rosa = person()
    endpoint(rosa)
    off(rosa)
    [one] = notify([rosa], category=Category.CRITICAL)
    route("critical")
    assert texts(one, "decided", "held", "skipped") == [
        "Email will be sent because it is critical, although: The recipient switched this channel off "
        "(everything on every channel, from the settings page, 3 November 2026)."
    ]


def test_both_stories_name_the_other() -> None:
    rosa = payments()
    poorer = said(rosa, "payment.received")
    route()
    [held] = texts(poorer, "held")
    assert held.startswith("Email held: It waits a moment for a fuller message about the same thing (until ")
    fuller = said(rosa, "transaction.alert")
    route()
    send()
    make_due()
    send()
    assert texts(poorer, "held") == [held]
    assert texts(poorer, "skipped") == [
        f"Email withheld: A fuller message about the same thing takes its place: {ids.show(ids.NOTIFICATION, fuller)}."
    ]
    assert texts(fuller, "speaks_for") == [f"It speaks for 1 other message: {ids.show(ids.NOTIFICATION, poorer)}."]


def test_a_plain_yes_rests_on_nothing() -> None:
    rosa = person()
    endpoint(rosa)
    [one] = notify([rosa], expires_at=datetime.now(UTC) + timedelta(days=1))
    route()
    assert texts(one, "decided") == ["Email will be sent."]
    assert Delivery.objects.all_tenants().get().because is None
