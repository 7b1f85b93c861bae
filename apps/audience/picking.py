"""People to look at something with: found while typing, and counted by language."""

from time import monotonic
from typing import NamedTuple
from uuid import UUID

from apps.audience import models
from apps.audience.finding import recipients_by
from apps.audience.segments.asking import TookTooLong, ask_within
from apps.audience.selectors import recipient_ids, recipients
from apps.core.types import Recipient

COUNTED_SECONDS = 60.0
LATER_SECONDS = 900.0
WITHIN_MS = 2_000
MOST_LOCALES = 200
_MOST_COUNTED = 1_000
_BY_LOCALE = "SELECT locale, count(*) FROM audience_recipient WHERE tenant_id = %(tenant)s GROUP BY locale ORDER BY 2 DESC LIMIT %(most)s"
_counted: dict[UUID, tuple[float, dict[str, int]]] = {}


class Person(NamedTuple):
    """`addresses`: masked."""

    user_id: str
    locale: str
    addresses: tuple[str, ...]


def people_like(tenant_id: UUID, text: str, most: int) -> list[Person]:
    """Whose user_id begins with it, or who have it as their address; the newest for an empty text. Two queries, a third one for
    an address."""
    if "\x00" in text:
        return []
    rows = models.Recipient.objects.of(tenant_id)
    if text:
        # the collation of the index sorts what begins alike together, and cannot say where that ends
        near = rows.filter(user_id__gte=text).order_by("user_id").values_list("id", "user_id")[: most * 5]
        found = [id_ for id_, user_id in near if user_id.startswith(text)]
        found += [id_ for id_ in recipients_by(text, [tenant_id]) if id_ not in found]
    else:
        found = list(rows.order_by("-id").values_list("id", flat=True)[:most])
    people = {id_: (user_id, locale) for id_, user_id, locale in _named(tenant_id, found[:most])}
    masked: dict[UUID, list[str]] = {}
    endpoints = models.Endpoint.objects.of(tenant_id).filter(recipient_id__in=people, retired_at=None)
    for id_, said in endpoints.order_by("id").values_list("recipient_id", "masked"):
        masked.setdefault(id_, []).append(said)
    return [Person(*people[id_], tuple(masked.get(id_, ())[:3])) for id_ in found if id_ in people]


def person(tenant_id: UUID, user_id: str) -> Recipient | None:
    id_ = recipient_ids(tenant_id, [user_id]).get(user_id)
    return recipients([id_]).get(id_) if id_ else None


def people_by_locale(tenant_id: UUID) -> dict[str, int]:
    """How many have which; "" for those of whom it is not known. At most COUNTED_SECONDS old; the MOST_LOCALES most frequent ones. Empty
    while it cannot be counted within WITHIN_MS: it is asked again after LATER_SECONDS."""
    kept = _counted.get(tenant_id)
    if kept is not None and kept[0] > monotonic():
        return kept[1]
    seconds = COUNTED_SECONDS
    try:
        found = dict(ask_within(_BY_LOCALE, {"tenant": tenant_id, "most": MOST_LOCALES}, WITHIN_MS))
    except TookTooLong:
        found, seconds = {}, LATER_SECONDS
    if len(_counted) >= _MOST_COUNTED:
        _counted.clear()
    _counted[tenant_id] = (monotonic() + seconds, found)
    return found


def forget_counted() -> None:
    """For tests."""
    _counted.clear()


def _named(tenant_id: UUID, ids: list[UUID]) -> list[tuple[UUID, str, str]]:
    rows = models.Recipient.objects.of(tenant_id).filter(id__in=ids)
    return list(rows.values_list("id", "user_id", "locale"))
