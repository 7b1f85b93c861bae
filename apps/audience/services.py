"""People and their endpoints: created, changed, retired, forgotten."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.audience import models
from apps.audience.forgetting import run_callbacks
from apps.audience.people import Written, write_people
from apps.audience.registering import Registered, register
from apps.audience.retiring import retire
from apps.audience.selectors import recipient_ids
from apps.core import clock
from apps.core.enums import Channel
from apps.core.rows import fetch
from apps.core.types import Address, InlineRecipient, Tenant
from apps.tenants.auditing import Actor, record

# in the order of ids, so that two of them never wait for each other
_LOCK = """
SELECT id, tenant_id, preferences_version FROM audience_recipient WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE
"""
_BUMP = """
WITH mine AS (
    SELECT id FROM audience_recipient
    WHERE id = ANY(%(ids)s) AND (%(expected)s::int IS NULL OR preferences_version = %(expected)s)
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE audience_recipient r SET preferences_version = preferences_version + 1 FROM mine WHERE r.id = mine.id
RETURNING r.id, r.preferences_version
"""


def upsert_recipients(*, tenant: Tenant, inline: Sequence[InlineRecipient]) -> dict[str, UUID]:
    """The recipients' ids by user_id, created or updated, with their addresses added. For ingestion.

    Two queries when nothing is new, at most seven, however many there are. Retired addresses stay retired (registering.py).
    """
    with transaction.atomic(savepoint=False):
        people = _write(tenant, inline, revive=False)
    return {user_id: person.recipient_id for user_id, person in people.items()}


def upsert_user(*, tenant: Tenant, user: InlineRecipient, by: Actor | None = None) -> bool:
    """One person, at the caller's explicit wish: retired addresses come back into use. True when the person is new.

    `by`: who blocks or unblocks them, for the audit log; None: it is written elsewhere.
    """
    with transaction.atomic():
        was_blocked = _is_blocked(tenant, user.user_id) if by and user.is_blocked is not None else user.is_blocked
        written = _write(tenant, [user], revive=True)[user.user_id]
        if by and was_blocked != user.is_blocked:
            record(
                actor=by,
                tenant_id=tenant.id,
                action="change",
                kind="audience.recipient",
                object_id=written.recipient_id,
                label=user.user_id,
                before={"blocked": was_blocked},
                after={"blocked": user.is_blocked},
            )
        return written.is_new


def _is_blocked(tenant: Tenant, user_id: str) -> bool:
    return models.Recipient.objects.of(tenant).filter(user_id=user_id, blocked_at__isnull=False).exists()


def _write(tenant: Tenant, inline: Sequence[InlineRecipient], *, revive: bool) -> dict[str, Written]:
    people = write_people(tenant.id, inline)
    wanted = [(people[person.user_id].recipient_id, address) for person in inline for address in person.addresses]
    if wanted:
        register(tenant.id, wanted, revive=revive, now=clock.now())
    return people


def register_endpoint(*, tenant: Tenant, recipient_id: UUID, address: Address) -> Registered:
    """The same address twice is the same endpoint; a retired one comes back into use."""
    with transaction.atomic():
        return register(tenant.id, [(recipient_id, address)], revive=True, now=clock.now())[0]


def retire_endpoints(*, dead: Mapping[UUID, datetime | None], reason: str, now: datetime) -> int:
    """Takes addresses out of use that a provider refused for good, of whatever tenant. How many were taken.

    `dead`: by endpoint id, since when (None: now). One that was registered again after that moment stays in use.
    """
    return retire(dead, reason, now)


def delete_endpoint(*, tenant: Tenant, recipient_id: UUID, endpoint_id: UUID, channel: Channel | None = None) -> bool:
    """False when it is not this person's, or of another channel. The address is gone, not only retired."""
    rows = models.Endpoint.objects.of(tenant).filter(recipient_id=recipient_id, id=endpoint_id)
    if channel is not None:
        rows = rows.filter(channel=channel.value)
    return bool(rows.delete()[0])


def lock_preferences(recipient_ids: Collection[UUID]) -> dict[UUID, tuple[UUID, int]]:
    """(tenant, version of their choices) of those that exist, of whatever tenant. Until the end of the transaction nobody else
    changes what they chose. One statement."""
    rows = fetch(_LOCK, {"ids": list(recipient_ids)}) if recipient_ids else []
    return {id_: (tenant_id, version) for id_, tenant_id, version in rows}


def bump_preferences(recipient_ids: Collection[UUID], *, expected: int | None = None) -> dict[UUID, int]:
    """In the transaction that changes what they chose: their new versions; who is gone meanwhile, or has another version than
    `expected`, is left out. It locks the rows, and so orders writers. One statement."""
    return dict(fetch(_BUMP, {"ids": list(recipient_ids), "expected": expected})) if recipient_ids else {}


def forget_recipient(*, tenant: Tenant, user_id: str, by: Actor) -> bool:
    """Erases a person: what other apps hold (forgetting.py), endpoints, preferences, feed. False when unknown.

    What stays is in the audit log: that it was done, by whom, and the tenant's own id of the person.
    """
    recipient_id = recipient_ids(tenant.id, [user_id]).get(user_id)
    with transaction.atomic():
        rows = models.Recipient.objects.of(tenant).filter(id=recipient_id)
        if recipient_id is None or not rows.select_for_update().exists():
            return False
        run_callbacks(tenant.id, recipient_id)
        rows.delete()
        record(
            actor=by,
            tenant_id=tenant.id,
            action="forget",
            kind="audience.recipient",
            object_id=recipient_id,
            label=user_id,
            said="Forgotten: the person, their addresses, choices and feed, and what was said to them.",
        )
        return True
