"""The same message to many, through the API: a campaign made and launched in one step, whatever the size of its audience.

People by name become a list where there are many of them, when it is prepared. Who of a segment gets it is found out then, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from msgspec import UNSET, structs

from apps.audience import selectors as audience
from apps.audience.segments import stored
from apps.audience.segments.keeping import create_segment
from apps.audience.segments.rules import MOST_USERS
from apps.campaigns.agreeing import launch_by_key
from apps.campaigns.bodies import BulkBody
from apps.campaigns.composing import create_campaign
from apps.campaigns.definitions import AudienceValues, CampaignValues, ScheduleValues, VariantValues
from apps.campaigns.naming import keep_names
from apps.campaigns.reading import campaign_by_request
from apps.core import ids
from apps.core.enums import Channel, KeyMode, Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller, Tenant
from apps.ingest.bodies import Message
from apps.templates import services as templates
from apps.templates.proving import Source
from apps.templates.rendering import published
from apps.tenants import auditing

MESSAGE: Final = "bulk-message"
_MOST_SHOWN: Final = 100
# what a caller wrote is text word for word: it comes as data, and data is no template
_WORDS: Final = "{{ data.message.body }}"
_TITLE: Final = "{{ data.message.title }}"
_LEAVE: Final = "{{ vars.unsubscribe_url }}"
_HTML: Final = f'<p>{{{{ data.message.body | newline_to_br }}}}</p><p><a href="{_LEAVE}">{_LEAVE}</a></p>'
_SOURCES: Final = (
    Source(Channel.PUSH, "", {"title": _TITLE, "body": _WORDS}),
    Source(Channel.EMAIL, "", {"subject": _TITLE, "html": _HTML, "text": f"{_WORDS}\n\n{_LEAVE}"}),
    Source(Channel.SMS, "", {"body": _WORDS}),
    Source(Channel.IN_APP, "", {"title": _TITLE, "body": _WORDS}),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """`people`: of those by name, how many are known; None for a segment."""

    campaign_id: UUID
    people: int | None
    unknown: tuple[str, ...]
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Meant:
    """`people`: how many of those by name are known; `unknown`: who is not. `segment_id`: of the list that `names` are put on later."""

    rule: Mapping[str, Any]
    people: int | None
    unknown: Sequence[str] = ()
    segment_id: UUID | None = None
    names: Sequence[str] = ()


def send_bulk(*, caller: Caller, body: BulkBody, now: datetime, request_key: bytes | None, fingerprint: bytes) -> Sent:
    """Raises Problem: forbidden, missing_field, contradiction, unknown_user, unknown_segment, unknown_template,
    expiry_before_schedule, idempotency_key_reused, and as launching does."""
    if not caller.may(Scope.CAMPAIGNS_LAUNCH):
        raise Problem(Code.FORBIDDEN, f"This needs a key with the scope `{Scope.CAMPAIGNS_LAUNCH}`.")
    _check(body, now)
    if request_key is not None and (replay := _replay(caller, body, request_key, fingerprint)) is not None:
        return replay
    try:
        with transaction.atomic():
            return _send(caller, body, now, request_key, fingerprint)
    except Problem as problem:
        raise _in_words_of_the_body(problem) from None
    except IntegrityError:
        # somebody else with the same key was faster by a moment
        replay = _replay(caller, body, request_key, fingerprint) if request_key is not None else None
        if replay is None:
            raise
        return replay


def _send(caller: Caller, body: BulkBody, now: datetime, request_key: bytes | None, fingerprint: bytes) -> Sent:
    tenant = caller.tenant
    meant = _audience(tenant, body, now)
    actor = auditing.key(caller)
    made = create_campaign(
        tenant=tenant,
        values=_values(tenant, caller, body, meant.rule, now),
        by=actor.name,
        now=now,
        may_critical=caller.may(Scope.NOTIFICATIONS_CRITICAL),
        api_key_id=caller.key_id,
        request_key=request_key,
        fingerprint=fingerprint,
    )
    if meant.segment_id is not None:
        keep_names(tenant_id=tenant.id, campaign_id=made, segment_id=meant.segment_id, names=meant.names)
    launch_by_key(tenant=tenant, campaign_id=made, actor=actor, now=now)
    return Sent(made, meant.people, tuple(meant.unknown), False)


def _check(body: BulkBody, now: datetime) -> None:
    if (body.recipient_ids is None) == (body.segment_id is None):
        raise Problem(
            Code.CONTRADICTION, "Send `recipient_ids` or `segment_id`, one of them.", pointer="/recipient_ids"
        )
    if (body.template_id is None) == (body.message is None):
        raise Problem(Code.CONTRADICTION, "Send `template_id` or `message`, one of them.", pointer="/message")
    if body.message is not None and (body.message.collapse_id or body.message.badge):
        raise Problem(Code.CONTRADICTION, "`collapse_id` and `badge` are for single messages.", pointer="/message")
    if body.schedule_at is not None and body.schedule_at < now - timedelta(minutes=1):
        raise Problem(Code.SCHEDULE_IN_PAST, pointer="/schedule_at")
    begins = max(body.schedule_at or now, now)
    if body.expiry_at is not None and body.expiry_at < begins + timedelta(minutes=1):
        raise Problem(
            Code.EXPIRY_BEFORE_SCHEDULE, "It expires a minute after it begins at the earliest.", pointer="/expiry_at"
        )
    if "message" in body.data and body.message is not None:
        raise Problem(Code.CONTRADICTION, "`data.message` is where the words of `message` go.", pointer="/data/message")


def _audience(tenant: Tenant, body: BulkBody, now: datetime) -> "Meant":
    if body.segment_id is not None:
        return Meant(_named(tenant, body.segment_id, "/segment_id"), None)
    wanted = list(dict.fromkeys(body.recipient_ids or ()))
    known = audience.recipient_ids(tenant.id, wanted)
    _refuse_nobody(len(known))
    unknown = [user_id for user_id in wanted if user_id not in known]
    if len(wanted) > MOST_USERS:
        segment = create_segment(tenant_id=tenant.id, key=_free_key(), name=f"Bulk of {now:%Y-%m-%d %H:%M} UTC")
        return Meant({"list": segment.key}, len(known), unknown, segment.id, list(known))
    return Meant({"users": list(known)}, len(known), unknown)


def _named(tenant: Tenant, name: str, pointer: str) -> dict[str, Any]:
    found = stored.segment(tenant.id, name)
    if found is None or found.archived_at is not None:
        raise Problem(Code.UNKNOWN_SEGMENT, f"There is no segment or list `{name}`.", pointer=pointer)
    return {"list" if found.is_list else "segment": found.key}


def _values(tenant: Tenant, caller: Caller, body: BulkBody, rule: Mapping[str, Any], now: datetime) -> CampaignValues:
    exclude = _named(tenant, body.exclude_segment_id, "/exclude_segment_id") if body.exclude_segment_id else None
    data, template = dict(body.data), body.template_id
    if body.message is not None:
        data["message"], template = _words(body.message), _message_template(tenant)
    return CampaignValues(
        name=body.name or f"Bulk of {now:%Y-%m-%d %H:%M} UTC",
        mode=KeyMode(caller.mode),
        category=body.category,
        event_type=body.event_type or "",
        channels=list(body.channels),
        priority=body.priority,
        audience=AudienceValues(include=dict(rule), exclude=exclude),
        data=data,
        variants=[VariantValues(name="A", template_key=template or "")],
        schedule=_schedule(body.schedule_at),
        throttle=body.throttle,
        expires_after_minutes=_minutes(body, now) if body.expiry_at is not None else UNSET,
        holdout=body.holdout,
        budget=body.budget,
        send_once_key=body.send_once_key,
    )


def _schedule(at: datetime | None) -> ScheduleValues:
    if at is None:
        return ScheduleValues(kind="now")
    return ScheduleValues(kind="at", start=f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}", zone="UTC")


def _minutes(body: BulkBody, now: datetime) -> int:
    """Whole ones: rather a moment too early than too late."""
    assert body.expiry_at is not None
    begins = max(body.schedule_at or now, now)
    return max(1, int((body.expiry_at - begins).total_seconds() // 60))


def _words(message: Message) -> dict[str, str]:
    """As for a single message: without a title the body's first line stands in."""
    return {"title": message.title or message.body.strip().partition("\n")[0][:78], "body": message.body}


def _message_template(tenant: Tenant) -> str:
    """The template that says what `data.message` says; made when it is first needed."""
    if (tenant.id, MESSAGE) not in published([(tenant.id, MESSAGE)]):
        sample = {"message": {"title": "Hello", "body": "What a caller wrote."}}
        templates.save_draft(tenant=tenant, key=MESSAGE, name="Bulk message", variants=_SOURCES, sample=sample)
        templates.publish(tenant=tenant, key=MESSAGE, by="bulk")
    return MESSAGE


def _replay(caller: Caller, body: BulkBody, request_key: bytes, fingerprint: bytes) -> Sent | None:
    found = campaign_by_request(caller.tenant.id, request_key)
    if found is None:
        return None
    if found[1] != fingerprint:
        raise Problem(Code.IDEMPOTENCY_KEY_REUSED)
    people, unknown = None, []
    if body.recipient_ids is not None:
        wanted = list(dict.fromkeys(body.recipient_ids))
        known = audience.recipient_ids(caller.tenant.id, wanted)
        people, unknown = len(known), [user_id for user_id in wanted if user_id not in known]
    return Sent(found[0], people, tuple(unknown), True)


def _in_words_of_the_body(problem: Problem) -> Problem:
    """Where the campaign's own fields have other names."""
    errors = [structs.replace(error, pointer=_POINTERS.get(error.pointer, error.pointer)) for error in problem.errors]
    return Problem(problem.code, problem.detail, errors=errors)


_POINTERS: Final = {
    "/variants/0/template_key": "/template_id",
    "/schedule/start": "/schedule_at",
    "/variants": "/template_id",
    "/content": "/template_id",
    "/delivery": "/schedule_at",
}


def _refuse_nobody(number: int) -> None:
    if not number:
        raise Problem(Code.UNKNOWN_USER, "Nobody has any of these user_ids.", pointer="/recipient_ids")


def _free_key() -> str:
    return f"bulk-{ids.new().hex}"


def shown(unknown: Sequence[str]) -> list[str]:
    return list(unknown[:_MOST_SHOWN])
