"""Test sends: a draft or a version, to oneself or a seed list, as notifications of their own through the front door.

What is sent is rendered now, marked [TEST], and kept with the notification: a draft may be another one in a minute. It goes the way of
all messages, the rules of its reader included; statistics leave it out (its source is `test_send`).
"""

from collections.abc import Iterator, Mapping, Sequence
from secrets import token_bytes
from typing import Any
from uuid import UUID

from apps.audience import selectors as audience
from apps.core import ids
from apps.core.enums import Category, Channel, KeyMode, Priority, Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller, NewNotification, Recipient, Rendered, Tenant
from apps.core.types.work import TEST_SEND
from apps.ingest.planning import Planned
from apps.ingest.services import Ticket, accept
from apps.templates import seeds, selectors
from apps.templates.content import MOST_SUBJECT
from apps.templates.previewing import preview
from apps.templates.selectors import TemplateRow, VersionRow
from apps.templates.test_sending import Sent, Wish

MARK = "[TEST] "
_MARKED = {Channel.EMAIL: "subject", Channel.PUSH: "title", Channel.IN_APP: "title", Channel.SMS: "body"}
_NOBODY = "Name somebody: `user_ids`, `addresses` or a `seed_list`."


def send_test(
    *,
    caller: Caller,
    key: str,
    user_ids: Sequence[str] = (),
    addresses: Sequence[str] = (),
    seed_list: str = "",
    channels: Sequence[Channel] = (),
    locale: str = "",
    version: int | None = None,
    data: Mapping[str, Any] | None = None,
    request_id: str = "",
) -> list[Sent]:
    """One notification for each person and channel; nothing, if one of them cannot be rendered. `version`: by default the draft, else
    the current one. `channels`: by default all that it has. `locale`: by default each reader's own. `data`: by default the sample.

    Raises Problem: not_found, no_recipient, unknown_user, template_invalid, invalid_email, invalid_phone, out_of_range.
    """
    tenant = caller.tenant
    template = _template(tenant, key)
    chosen = _version(tenant, template, version)
    wanted = tuple(dict.fromkeys(channels)) or tuple(_channels(tenant, chosen))
    people = _people(tenant, user_ids, addresses, seed_list)
    made = [
        (person, channel, marked(_rendered(tenant, template, chosen, person, channel, locale, data).content, channel))
        for person in people
        for channel in wanted
    ]
    planned = [
        (place, Planned(person.user_id, _notification(person.id, channel, content)))
        for place, (person, channel, content) in enumerate(made)
    ]
    ticket = Ticket(token_bytes(32), bytes(32), request_id, TEST_SEND)
    answered = accept(caller, ticket, "several", planned, [])
    return [
        Sent(person.user_id, channel, shown) for (person, channel, _), shown in zip(made, answered.ids, strict=True)
    ]


def send_wished(tenant: Tenant, wish: Wish) -> list[Sent]:
    """For an operator. Raises Problem, as `send_test`."""
    caller = Caller(
        tenant=tenant,
        key_id=None,
        key_name=wish.by,
        mode=KeyMode.LIVE if wish.is_live else KeyMode.TEST,
        scopes=frozenset({Scope.NOTIFICATIONS_WRITE}),
        requires_idempotency_key=False,
        rate_per_second=tenant.rate_per_second,
        rate_burst=tenant.rate_burst,
    )
    return send_test(
        caller=caller,
        key=wish.key,
        user_ids=wish.user_ids,
        addresses=wish.addresses,
        seed_list=wish.seed_list,
        channels=wish.channels,
        locale=wish.locale,
        version=wish.version,
    )


def marked(content: Mapping[str, str], channel: Channel) -> dict[str, str]:
    name = _MARKED[channel]
    text = MARK + content.get(name, "")
    return {**content, name: text[:MOST_SUBJECT] if channel is Channel.EMAIL else text}


def _rendered(
    tenant: Tenant,
    template: TemplateRow,
    version: VersionRow,
    person: Recipient,
    channel: Channel,
    locale: str,
    data: Mapping[str, Any] | None,
) -> Rendered:
    return preview(
        tenant=tenant,
        template=template,
        version=version,
        channel=channel,
        locale=locale or person.locale,
        data=data,
        recipient={**person.attributes, "user_id": person.user_id, "timezone": person.timezone or tenant.timezone},
    )


def _notification(recipient_id: UUID, channel: Channel, content: Mapping[str, str]) -> NewNotification:
    return NewNotification(
        id=ids.new(),
        recipient_id=recipient_id,
        category=Category.TRANSACTIONAL,
        event_type="",
        template_key="",
        channels=(channel,),
        priority=Priority.NORMAL,
        data={},
        content=content,
        due_at=None,
        expires_at=None,
        event_id="",
        actor_id="",
        object_id="",
        ordering_key="",
    )


def _people(tenant: Tenant, user_ids: Sequence[str], addresses: Sequence[str], seed_list: str) -> list[Recipient]:
    listed = seeds.seeds(tenant, seed_list).user_ids if seed_list else ()
    seeds.refuse_unknown(tenant, user_ids, "/user_ids")
    wanted = tuple(dict.fromkeys((*user_ids, *listed, *seeds.people_at(tenant, addresses, "/addresses"))))
    if not wanted:
        raise Problem(Code.NO_RECIPIENT, _NOBODY)
    if len(wanted) > seeds.MOST:
        raise Problem(Code.OUT_OF_RANGE, f"At most {seeds.MOST} people.", pointer="/user_ids")
    found = audience.recipient_ids(tenant.id, set(wanted))
    people = audience.recipients(found.values())
    return [people[found[user_id]] for user_id in wanted if user_id in found]


def _template(tenant: Tenant, key: str) -> TemplateRow:
    found = selectors.template_by_key(tenant, key)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"There is no template `{key}`.")
    if found.is_layout or found.is_partial:
        raise Problem(Code.CONTRADICTION, "Layouts and partials are tested with a template that has them.")
    return found


def _version(tenant: Tenant, template: TemplateRow, number: int | None) -> VersionRow:
    if number is not None:
        found = selectors.version_by_number(tenant, template.id, number)
    else:
        found = selectors.draft(tenant, template.id)
        if found is None and template.current is not None:
            found = selectors.version_by_number(tenant, template.id, template.current)
    if found is None:
        raise Problem(Code.NOT_FOUND, "There is no such version.", pointer="/version")
    return found


def _channels(tenant: Tenant, version: VersionRow) -> Iterator[Channel]:
    known = {row.channel for row in selectors.variants(tenant, version.id)}
    return (channel for channel in Channel if channel in known)
