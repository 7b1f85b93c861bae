"""One search box for every id there is. Each way to look has an index, so that a pasted id is answered at any size."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.audience.finding import recipients_by
from apps.core import ids
from apps.core.rows import fetch
from apps.core.tenant_scope import bound
from apps.ledger.models import Notification
from apps.tenants.selectors import tenants

HELP = "Any id, user, email, phone"
DETAIL = (
    "Search takes the id of a notification, delivery, attempt, dead letter, event, request or provider message, a user_id, an email\
 address, a phone number."
)
MOST = 200
_BEFORE, _AFTER = timedelta(seconds=5), timedelta(minutes=2)

_BY_ID = """
SELECT id FROM ledger_notification WHERE id = %(id)s
UNION SELECT notification_id FROM ledger_delivery WHERE id = %(id)s
UNION SELECT d.notification_id FROM ledger_attempt a JOIN ledger_delivery d ON d.id = a.delivery_id WHERE a.id = %(id)s
UNION SELECT notification_id FROM ledger_dead_letter WHERE id = %(id)s
"""
_BY_TEXT = r"""
(SELECT d.notification_id FROM ledger_attempt a JOIN ledger_delivery d ON d.id = a.delivery_id
    WHERE a.provider_message_id = %(text)s AND a.provider_message_id <> '' LIMIT %(most)s)
UNION (SELECT id FROM ledger_notification WHERE event_id = %(text)s AND event_id <> '' LIMIT %(most)s)
UNION (SELECT id FROM ledger_notification
    WHERE request_id = %(text)s AND request_id <> '' AND request_id NOT LIKE 'req\_%%' LIMIT %(most)s)
"""
_BY_REQUEST = """
SELECT id FROM ledger_notification WHERE id >= %(since)s AND id < %(until)s AND request_id = %(text)s LIMIT %(most)s
"""
_NEWEST_OF = """
SELECT id FROM ledger_notification WHERE recipient_id = ANY(%(people)s) ORDER BY id DESC LIMIT %(most)s
"""


def notifications_by(text: str) -> list[UUID]:
    """The notifications that an id names, directly or through what belongs to them; at most MOST of each kind."""
    found = _named(text.strip())
    if not found or bound() is None:
        return found
    return list(Notification.objects.all_tenants().filter(id__in=found).values_list("id", flat=True))


def _named(text: str) -> list[UUID]:
    if not text or "\x00" in text:
        return []
    if (request := ids.read(ids.REQUEST, text)) is not None:
        return _of_request(text, request)
    if (id_ := ids.find(text)) is not None:
        return _first(_BY_ID, {"id": id_})
    return _first(_BY_TEXT, {"text": text, "most": MOST})


def people_by(text: str) -> list[UUID]:
    """The recipients that a text names."""
    id_ = ids.find(text)
    return [id_] if id_ is not None else recipients_by(text.strip(), tenants())


def condition(text: str) -> Q:
    """What rows of the notification table a text names."""
    found = notifications_by(text)
    people = [] if found and ids.find(text) is not None else people_by(text)
    return Q(id__in=found) | Q(recipient_id__in=people) if people else Q(id__in=found)


def newest_named(text: str) -> list[UUID]:
    """The same as ids: of a person the newest MOST."""
    found = notifications_by(text)
    people = [] if found else people_by(text)
    return found + (_first(_NEWEST_OF, {"people": people, "most": MOST}) if people else [])


def _of_request(text: str, request: UUID) -> list[UUID]:
    """A request's notifications were made while it ran, and its id says when that was."""
    try:
        made = ids.time_of(request)
        since, until = ids.bound(made - _BEFORE), ids.bound(made + _AFTER)
    except (OverflowError, ValueError, OSError):
        return []
    return _first(_BY_REQUEST, {"since": since, "until": until, "text": text, "most": MOST})


def _first(sql: str, parameters: dict[str, Any]) -> list[UUID]:
    return [row[0] for row in fetch(sql, parameters)]
