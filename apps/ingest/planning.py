"""From bodies to notifications ready to be written: everything is checked, people are found or created, nothing is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from apps.audience import selectors as audience
from apps.audience import services as audience_services
from apps.core import ids
from apps.core.enums import Category
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller, EventType, InlineRecipient, NewNotification
from apps.events import selectors as events
from apps.ingest.bodies import Message, NotificationItem
from apps.ingest.classifying import category_of
from apps.templates import selectors as templates

FARTHEST = timedelta(days=366)
END_OF_TIME = datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Draft:
    """A body and where it stands in the request; `user` is a user_id, or a person with addresses."""

    pointer: str
    item: NotificationItem
    user: str | InlineRecipient
    event_type: EventType | None
    category: Category


@dataclass(frozen=True, slots=True)
class Planned:
    user_id: str
    notification: NewNotification


def draft(caller: Caller, item: NotificationItem, now: datetime, pointer: str = "") -> Draft:
    """Checks one body. Raises Problem with pointers below `pointer`. No query unless an event type is not cached."""
    if (item.user_id is None) == (item.recipient is None):
        code = Code.NO_RECIPIENT if item.user_id is None else Code.CONTRADICTION
        raise Problem(code, "Send either `user_id` or `recipient`.", pointer=f"{pointer}/user_id")
    event_type = _event_type(caller, item, pointer)
    _check_content(caller, item, event_type, pointer)
    _check_times(item, now, pointer)
    category = category_of(caller, event_type, item.category, item.template_id or "", pointer)
    if item.channels and len(set(item.channels)) < len(item.channels):
        raise Problem(Code.CONTRADICTION, "A channel is named twice.", pointer=f"{pointer}/channels")
    user = item.user_id or (item.recipient.checked(f"{pointer}/recipient") if item.recipient else "")
    return Draft(pointer, item, user, event_type, category)


def plan(caller: Caller, drafts: Sequence[Draft]) -> tuple[list[Planned | None], list[Problem | None]]:
    """Finds or creates the people; per draft a plan, or the problem that stands in its way. One query for known people."""
    found = _people(caller, drafts)
    planned: list[Planned | None] = []
    problems: list[Problem | None] = []
    for d in drafts:
        user_id = d.user if isinstance(d.user, str) else d.user.user_id
        recipient_id = found.get(user_id)
        if recipient_id is None:
            detail = f"The user_id `{user_id}` is not known."
            problems.append(Problem(Code.UNKNOWN_USER, detail, pointer=f"{d.pointer}/user_id"))
            planned.append(None)
        else:
            problems.append(None)
            planned.append(Planned(user_id, _notification(d, recipient_id)))
    return planned, problems


def _people(caller: Caller, drafts: Sequence[Draft]) -> dict[str, UUID]:
    inline = [d.user for d in drafts if not isinstance(d.user, str)]
    known = {d.user for d in drafts if isinstance(d.user, str)}
    found = audience.recipient_ids(caller.tenant.id, known) if known else {}
    if inline:
        found = found | audience_services.upsert_recipients(tenant=caller.tenant, inline=inline)
    return found


def _event_type(caller: Caller, item: NotificationItem, pointer: str) -> EventType | None:
    if item.event_type is None:
        return None
    event_type = events.event_type(caller.tenant.id, item.event_type)
    if event_type is None:
        raise Problem(
            Code.UNKNOWN_EVENT_TYPE,
            f"The event type `{item.event_type}` is not known.",
            pointer=f"{pointer}/event_type",
        )
    return event_type


def _check_content(caller: Caller, item: NotificationItem, event_type: EventType | None, pointer: str) -> None:
    if item.message is not None and item.template_id is not None:
        raise Problem(Code.CONTRADICTION, "Send `template_id` or `message`, not both.", pointer=f"{pointer}/message")
    if item.message is not None:
        return
    key = item.template_id or (event_type.template_key if event_type else "")
    if not key:
        raise Problem(Code.NO_CONTENT, pointer=pointer)
    if not templates.has_published(caller.tenant.id, key):
        where = "template_id" if item.template_id else "event_type"
        raise Problem(Code.UNKNOWN_TEMPLATE, f"There is no published template `{key}`.", pointer=f"{pointer}/{where}")


def _check_times(item: NotificationItem, now: datetime, pointer: str) -> None:
    due, expiry = item.schedule_at, item.expiry_at
    if due is not None and due <= now:
        raise Problem(Code.SCHEDULE_IN_PAST, pointer=f"{pointer}/schedule_at")
    if due is not None and due > now + FARTHEST:
        raise Problem(Code.SCHEDULE_TOO_FAR, pointer=f"{pointer}/schedule_at")
    if expiry is not None and due is not None and expiry <= due:
        raise Problem(Code.EXPIRY_BEFORE_SCHEDULE, pointer=f"{pointer}/expiry_at")
    if expiry is not None and expiry <= now:
        raise Problem(Code.EXPIRY_IN_PAST, pointer=f"{pointer}/expiry_at")
    if expiry is not None and expiry > END_OF_TIME:
        raise Problem(Code.OUT_OF_RANGE, "`expiry_at` is beyond the calendar.", pointer=f"{pointer}/expiry_at")


def _notification(d: Draft, recipient_id: UUID) -> NewNotification:
    item = d.item
    return NewNotification(
        id=ids.new(),
        recipient_id=recipient_id,
        category=d.category,
        event_type=d.event_type.key if d.event_type else "",
        template_key=item.template_id or "",
        channels=tuple(item.channels or ()),
        priority=item.priority,
        data=item.data,
        content=_content(item.message) if item.message else {},
        due_at=item.schedule_at,
        expires_at=item.expiry_at,
        event_id=item.event_id or "",
        actor_id=item.actor_id or "",
        object_id=item.object_id or "",
        ordering_key=item.ordering_key or "",
    )


def _content(message: Message) -> dict[str, str]:
    shown = {"collapse_id": message.collapse_id, "badge": message.badge}
    return {"title": message.title, "body": message.body, **{name: value for name, value in shown.items() if value}}
