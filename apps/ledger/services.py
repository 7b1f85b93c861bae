"""Operators' and callers' changes: cancel, retry, give up, forget. Each is one transaction and leaves an event."""

from collections.abc import Sequence
from secrets import randbelow
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from apps.core import clock, ids
from apps.core.enums import Category, DeliveryStatus, EventKind, Reason, WorkPhase
from apps.ledger.bundles import forget_bundles, lock_bundled
from apps.ledger.fallbacks import chain_id
from apps.ledger.lifecycle import RETRYABLE, WAITING
from apps.ledger.models import Attempt, DeadLetter, Delivery, DeliveryEvent, Notification, WorkItem

_CALLING = list(WorkPhase).index(WorkPhase.CALLING)
_TAKEN_BACK = [*WAITING, DeliveryStatus.UNKNOWN]


class NothingToDoError(Exception):
    """The notification is not in a state that allows this; nothing was changed."""


def cancel_notification(*, tenant_id: UUID, notification_id: UUID, by: str) -> bool:
    """Takes back everything that no provider was called for yet, a second try of what is in doubt and the turns of other channels
    among it. False: there is no such notification. Raises NothingToDoError when all of it is over or being sent."""
    with transaction.atomic():
        notification = Notification.objects.of(tenant_id).filter(id=notification_id).defer("sealed").first()
        if notification is None:
            return False
        work = WorkItem.objects.of(tenant_id).filter(lane=notification.category, phase__lt=_CALLING).select_for_update()
        # its routing first: once that is locked or gone, no delivery can appear behind our back
        own = [notification_id, chain_id(notification_id)]
        taken = set(work.filter(id__in=own).order_by("id").values_list("id", flat=True))
        waiting = Delivery.objects.of(tenant_id).filter(notification_id=notification_id, status__in=_TAKEN_BACK)
        deliveries = list(waiting.order_by("id").values_list("id", flat=True))
        taken |= set(work.filter(id__in=deliveries).order_by("id").values_list("id", flat=True))
        taken |= lock_bundled(notification_id)
        if not taken:
            raise NothingToDoError
        WorkItem.objects.of(tenant_id).filter(lane=notification.category, id__in=taken).delete()
        now = clock.now()
        Delivery.objects.of(tenant_id).filter(id__in=taken, status__in=list(WAITING)).update(
            status=DeliveryStatus.CANCELLED, reason=Reason.CANCELLED, ended_at=now
        )
        for id_ in taken:
            _note(tenant_id, notification_id, None if id_ in own else id_, EventKind.CANCELLED, by)
    return True


def retry_notification(
    *, tenant_id: UUID, notification_id: UUID, by: str, may_duplicate: bool = False
) -> list[str] | None:
    """Opens a new try for every failed delivery, and for those in doubt when `may_duplicate`: it takes the place of what was planned
    for them. Returns the queues that got work; None: no such notification. Raises NothingToDoError when nothing may be retried."""
    with transaction.atomic():
        notification = Notification.objects.of(tenant_id).filter(id=notification_id).defer("sealed").first()
        if notification is None:
            return None
        statuses = [s for s in RETRYABLE if may_duplicate or s != DeliveryStatus.UNKNOWN]
        deliveries = list(
            Delivery.objects.of(tenant_id)
            .filter(notification_id=notification_id, status__in=statuses)
            .select_for_update()
            .order_by("id")
        )
        deliveries = _without_work(notification, deliveries)
        dead = DeadLetter.objects.of(tenant_id).filter(notification_id=notification_id, resolved_at=None)
        reroute = bool(dead.filter(delivery_id=None).select_for_update().values_list("id"))
        if not deliveries and not reroute:
            raise NothingToDoError
        made = dict(
            Attempt.objects.of(tenant_id)
            .filter(delivery_id__in=[d.id for d in deliveries])
            .values_list("delivery_id")
            .annotate(Max("number"))
        )
        queues = [_reopen(notification, delivery, made.get(delivery.id, 0), by) for delivery in deliveries]
        if reroute:
            queues.append(_reroute(notification, by))
        dead.filter(delivery_id__in=[d.id for d in deliveries]).update(**_resolution("replayed", by))
        if reroute:
            dead.filter(delivery_id=None).update(**_resolution("replayed", by))
    return sorted(set(queues))


def give_up(*, dead_letter_ids: Sequence[UUID], by: str) -> int:
    """Ends dead letters for good, with an event each. Returns how many were open."""
    with transaction.atomic():
        letters = list(
            DeadLetter.objects.all_tenants().filter(id__in=dead_letter_ids, resolved_at=None).select_for_update()
        )
        for letter in letters:
            _note(letter.tenant_id, letter.notification_id, letter.delivery_id, EventKind.GIVEN_UP, by)
        DeadLetter.objects.all_tenants().filter(id__in=[x.id for x in letters]).update(**_resolution("given_up", by))
    return len(letters)


def replay(*, dead_letter_ids: Sequence[UUID], by: str) -> list[str]:
    """Retries the notifications of dead letters; those in doubt are left alone. Returns the queues that got work."""
    queues: set[str] = set()
    letters = DeadLetter.objects.all_tenants().filter(id__in=dead_letter_ids, resolved_at=None)
    for tenant_id, notification_id in set(letters.values_list("tenant_id", "notification_id")):
        try:
            queues.update(retry_notification(tenant_id=tenant_id, notification_id=notification_id, by=by) or [])
        except NothingToDoError:
            continue
    return sorted(queues)


def erase_recipient(tenant_id: UUID, recipient_id: UUID) -> None:
    """Forgets what was said to a person and stops what is waiting; the numbers stay."""
    # before the deliveries, as a flush locks them
    forget_bundles(recipient_id)
    notifications = Notification.objects.of(tenant_id).filter(recipient_id=recipient_id)
    open_ones = list(notifications.values_list("id", "category"))
    deliveries = list(
        Delivery.objects.of(tenant_id)
        .filter(notification_id__in=[id_ for id_, _ in open_ones], status__in=_TAKEN_BACK)
        .values_list("id", flat=True)
    )
    for lane in Category:
        ids_ = [id_ for id_, category in open_ones if category == lane]
        chains = [chain_id(id_) for id_ in ids_]
        WorkItem.objects.of(tenant_id).filter(
            lane=lane, id__in=[*ids_, *chains, *deliveries], phase__lt=_CALLING
        ).delete()
    Delivery.objects.of(tenant_id).filter(id__in=deliveries, status__in=list(WAITING)).update(
        status=DeliveryStatus.SKIPPED, reason=Reason.UNKNOWN_RECIPIENT, ended_at=clock.now()
    )
    notifications.update(sealed=None)


def _without_work(notification: Notification, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """What was planned for them is taken back; what is being sent right now is left out."""
    work = WorkItem.objects.of(notification.tenant_id).filter(
        lane=notification.category, id__in=[d.id for d in deliveries]
    )
    phases = dict(work.select_for_update().order_by("id").values_list("id", "phase"))
    work.filter(phase__lt=_CALLING).delete()
    return [d for d in deliveries if phases.get(d.id) != _CALLING]


def _reopen(notification: Notification, delivery: Delivery, attempts: int, by: str) -> str:
    queue = f"send.{delivery.category}.{delivery.channel}"
    was_in_doubt = delivery.status == DeliveryStatus.UNKNOWN
    delivery.status, delivery.reason, delivery.ended_at = DeliveryStatus.QUEUED, "", None
    delivery.duplicate_possible = delivery.duplicate_possible or was_in_doubt
    delivery.save(update_fields=["status", "reason", "ended_at", "duplicate_possible"])
    _add_work(notification, delivery.id, queue, "send", delivery.channel, attempts)
    said = "may_duplicate" if was_in_doubt else ""
    _note(notification.tenant_id, notification.id, delivery.id, EventKind.RETRIED, by, said)
    return queue


def _reroute(notification: Notification, by: str) -> str:
    queue = f"route.{notification.category}"
    _add_work(notification, notification.id, queue, "route", "")
    _note(notification.tenant_id, notification.id, None, EventKind.RETRIED, by)
    return queue


def _add_work(notification: Notification, id_: UUID, queue: str, kind: str, channel: str, earlier: int = 0) -> None:
    now = clock.now()
    WorkItem.objects.create(
        id=id_,
        tenant_id=notification.tenant_id,
        lane=notification.category,
        queue=queue,
        kind=kind,
        channel=channel,
        notification_id=notification.id,
        priority=notification.priority,
        due_at=now,
        expires_at=notification.expires_at,
        phase=0,
        # a worker that was given up for dead may still hold a small token of the earlier try
        lease_token=randbelow(1 << 30),
        expiries=0,
        tries=0,
        calls=0,
        earlier=earlier,
        ordering_key=f"{notification.recipient_id}/{key}" if (key := notification.ordering_key) else "",
        order_at=now,
    )


def _resolution(how: str, by: str) -> dict[str, object]:
    return {"resolved_at": clock.now(), "resolution": how, "resolved_by": by}


def _note(
    tenant_id: UUID, notification_id: UUID, delivery_id: UUID | None, kind: EventKind, by: str, code: str = ""
) -> None:
    DeliveryEvent.objects.create(
        id=ids.new(),
        tenant_id=tenant_id,
        notification_id=notification_id,
        delivery_id=delivery_id,
        kind=kind,
        at=clock.now(),
        code=code,
        detail="",
        source=by,
    )
