"""Endpoints made, changed, rotated, removed. Whoever adds or takes away an event tells the ledger what to keep, in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.crypto import UndecipherableError
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.rows import execute
from apps.ledger import telling
from apps.webhooks import signing
from apps.webhooks.catalogue import sources
from apps.webhooks.guard import check_url
from apps.webhooks.models import WebhookAttempt, WebhookCall, WebhookEndpoint
from apps.webhooks.switching import forget_alert, switch_off, switch_on

MOST = 50
BY_REQUEST = "Switched off by request."


@dataclass(frozen=True, slots=True)
class Issued:
    """`secret`: in clear, to be shown once."""

    endpoint_id: UUID
    secret: str


def create_endpoint(*, tenant_id: UUID, url: str, events: Sequence[str], description: str = "") -> Issued:
    """Raises Problem: webhook_url_refused; conflict when the tenant has MOST of them."""
    check_url(url)
    secret = signing.new_secret()
    row = WebhookEndpoint(tenant_id=tenant_id, url=url, events=sorted(set(events)), description=description)
    row.sealed = signing.seal(row.id, [secret])
    with transaction.atomic():
        _lock(tenant_id)
        if WebhookEndpoint.objects.of(tenant_id).count() >= MOST:
            raise Problem(Code.CONFLICT, f"There are {MOST} webhook endpoints already; remove one first.")
        row.save(force_insert=True)
        _listen(tenant_id)
    return Issued(row.id, secret)


def update_endpoint(
    *,
    tenant_id: UUID,
    endpoint_id: UUID,
    url: str | None = None,
    events: Sequence[str] | None = None,
    description: str | None = None,
    is_on: bool | None = None,
    off_reason: str = BY_REQUEST,
) -> None:
    """None leaves what is there. A new URL has to prove itself anew. Raises Problem: not_found, webhook_url_refused."""
    if url is not None:
        check_url(url)
    changes: dict[str, Any] = {}
    if url is not None:
        changes |= {"url": url, "is_proven": False, "failing_since": None}
    if events is not None:
        changes["events"] = sorted(set(events))
    if description is not None:
        changes["description"] = description
    with transaction.atomic():
        _lock(tenant_id)
        rows = WebhookEndpoint.objects.of(tenant_id).filter(id=endpoint_id)
        if not rows.update(**changes, updated_at=clock.now()):
            raise Problem(Code.NOT_FOUND)
        if is_on is not None:
            switch_on(endpoint_id) if is_on else switch_off(endpoint_id, off_reason, is_alert=False)
        _listen(tenant_id)


def delete_endpoint(*, tenant_id: UUID, endpoint_id: UUID) -> None:
    """With its attempts and all that it was still to be told. Raises Problem: not_found."""
    with transaction.atomic():
        _lock(tenant_id)
        rows = WebhookEndpoint.objects.of(tenant_id).filter(id=endpoint_id)
        if not rows.select_for_update().exists():
            raise Problem(Code.NOT_FOUND)
        for model in (WebhookCall, WebhookAttempt):
            mine = model.objects.of(tenant_id).filter(endpoint_id=endpoint_id)
            mine._raw_delete(mine.db)
        rows.delete()
        forget_alert(endpoint_id)
        _listen(tenant_id)


def rotate_secret(*, tenant_id: UUID, endpoint_id: UUID, overlap: timedelta) -> Issued:
    """A new secret; the one before signs beside it for `overlap`, an older one no more. Raises Problem: not_found."""
    secret = signing.new_secret()
    with transaction.atomic():
        rows = WebhookEndpoint.objects.of(tenant_id).filter(id=endpoint_id).select_for_update()
        sealed = rows.values_list("sealed", flat=True).first()
        if sealed is None:
            raise Problem(Code.NOT_FOUND)
        try:
            kept = signing.opened(endpoint_id, bytes(sealed))[:1]
        except UndecipherableError:
            # its key is gone: a new secret is what helps then
            kept = []
        now = clock.now()
        rows.update(
            sealed=signing.seal(endpoint_id, [secret, *kept]),
            previous_until=now + overlap if overlap and kept else None,
            updated_at=now,
        )
    return Issued(endpoint_id, secret)


def _lock(tenant_id: UUID) -> None:
    """One at a time changes a tenant's endpoints, so that what it listens to is what all of them want together."""
    execute("SELECT pg_advisory_xact_lock(hashtextextended('webhooks' || %(tenant)s::text, 0))", {"tenant": tenant_id})


def _listen(tenant_id: UUID) -> None:
    """Also for endpoints that are off: what happens meanwhile can be replayed to them."""
    wanted = WebhookEndpoint.objects.of(tenant_id).values_list("events", flat=True)
    telling.listen(tenant_id, sources({kind for events in wanted for kind in events}))
