"""Rosa, who sleeps from ten to eight in UTC, and what she chooses instead."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.audience.services import upsert_user
from apps.core import clock
from apps.core.enums import DigestFrequency
from apps.core.types import Author, Change, InlineRecipient, OwnQuietHours, QuietHours, Switch
from apps.ledger.models import WorkItem
from apps.preferences import choosing
from apps.preferences.changing import change_choices
from apps.tenants.selectors import forget_cached, tenant_by_id
from tests.integration.dispatch_cast import Carrier, endpoint, person, tenant

EVENING = datetime(2040, 11, 20, 22, 30, tzinfo=UTC)
# a summary is written into a partition of that day
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
NIGHT = OwnQuietHours((QuietHours(22 * 60, 8 * 60),))
BY = Author("settings_page")
At = Callable[[datetime], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, rung: list[str], carrier: Carrier) -> At:
    def move(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    move(EVENING)
    choosing.forget_cached()
    forget_cached()
    return move


@pytest.fixture
def rosa(at: object) -> UUID:
    return sleeper("rosa")


def sleeper(user: str, slug: str = "acme") -> UUID:
    """In UTC, from ten to eight, with an address."""
    found = person(user, slug=slug)
    endpoint(found, address=f"{user}@acme.test", slug=slug)
    change(found, slug, quiet_hours=NIGHT)
    return found


def change(who: UUID, slug: str = "acme", **fields: Any) -> None:
    change_choices(tenant_id=tenant(slug), recipient_id=who, change=Change(**fields), by=BY)


def on(topic: str, digest: DigestFrequency | None = None) -> dict[str, Any]:
    return {"switches": (Switch(topic, "email", True, digest),)}


def move_to(zone: str, user: str = "rosa") -> None:
    acme = tenant_by_id(tenant())
    assert acme is not None
    upsert_user(tenant=acme, user=InlineRecipient(user, timezone=zone))


def dues() -> dict[UUID, datetime]:
    return dict(WorkItem.objects.all_tenants().values_list("id", "due_at"))
