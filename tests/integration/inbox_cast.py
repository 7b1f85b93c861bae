"""Acme and its people, as the tests of the feed and of the vetoes need them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from apps.audience.models import Recipient
from apps.core import ids
from apps.core.enums import Category, KeyMode, Scope
from apps.core.types import NewInboxItem
from apps.inbox import selectors
from apps.tenants.models import Tenant
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import create_api_key

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def tenant(slug: str = "acme") -> UUID:
    return Tenant.objects.create(slug=slug, name=slug.title()).id


def recipient(tenant_id: UUID, user_id: str = "rosa") -> UUID:
    return Recipient.objects.create(tenant_id=tenant_id, user_id=user_id).id


@pytest.fixture
def acme() -> UUID:
    return tenant()


@pytest.fixture
def rosa(acme: UUID) -> UUID:
    return recipient(acme, "rosa")


def api_key(tenant_id: UUID, *scopes: Scope) -> dict[str, str]:
    """The headers of a caller with these scopes."""
    found = tenant_by_id(tenant_id)
    assert found is not None
    key = create_api_key(tenant=found, name="tests", mode=KeyMode.TEST, scopes=scopes)
    return {"Authorization": f"Bearer {key.token}"}


def new_item(
    tenant_id: UUID,
    recipient_id: UUID,
    title: str = "Your order is on its way",
    *,
    id_: UUID | None = None,
    expires_at: datetime | None = None,
) -> NewInboxItem:
    return NewInboxItem(
        id=id_ or ids.new(),
        tenant_id=tenant_id,
        recipient_id=recipient_id,
        notification_id=ids.new(),
        event_type="order.shipped",
        category=Category.TRANSACTIONAL,
        content={
            "title": title,
            "body": "It arrives on Friday.",
            "action_url": "https://acme.example/o/1",
            "icon": "box",
        },
        expires_at=expires_at,
    )


def titles(answer: dict[str, Iterable[dict[str, str]]]) -> list[str]:
    return [item["title"] for item in answer["data"]]


def page(tenant_id: UUID, recipient_id: UUID, **wanted: Any) -> selectors.FeedPage:
    """Of the feed at NOW."""
    usual = {"limit": 20, "before": None, "is_unread_only": False, "is_archived": False, "now": NOW}
    return selectors.feed_page(tenant_id=tenant_id, recipient_id=recipient_id, **(usual | wanted))


def shown(tenant_id: UUID, recipient_id: UUID, **wanted: Any) -> list[str]:
    return [item.content["title"] for item in page(tenant_id, recipient_id, **wanted).items]
