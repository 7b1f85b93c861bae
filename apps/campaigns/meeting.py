"""Who is behind the numbers of a run: people by name, with the address that was written to, masked unless somebody may see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.audience import profiles
from apps.audience import selectors as audience
from apps.campaigns.progress import FAILED, said
from apps.core import ids
from apps.core.enums import Channel
from apps.core.enums import DeliveryStatus as D
from apps.ledger.run_results import DOINGS, Met, Wanted

FORGOTTEN = "forgotten"
TROUBLE = "trouble"
_DID = {
    "delivered": "got it",
    "opened": "opened",
    "clicked": "clicked",
    "complained": "complained",
    "unsubscribed": "opted out",
    "sent": "sent",
}


@dataclass(frozen=True, slots=True)
class Person:
    """`story`: the notification's id as shown."""

    met: Met
    user_id: str
    address: str
    story: str
    why: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page of people is about, as its address says it: `delivered`, `opened`, `failed:rejected`; empty: everybody."""

    what: str
    title: str
    wanted: Wanted


def asked(what: str, variant: str = "") -> Asked | None:
    """None: there is no such thing."""
    number = int(variant) if variant.isascii() and variant.isdigit() and len(variant) < 3 else None
    if not what:
        return Asked(what, "Everybody who was decided on", Wanted(variant=number))
    if f"{what}_at" in DOINGS:
        return Asked(what, f"Who {_DID[what]}", Wanted(doing=f"{what}_at", variant=number))
    if what == TROUBLE:
        return Asked(what, "Whose message failed", Wanted(statuses=FAILED, variant=number))
    status, _, reason = what.partition(":")
    if status not in set(D):
        return None
    title = f"{status.capitalize()}: {said(reason) or D(status).sentence}"
    return Asked(what, title, Wanted(statuses=(D(status),), reason=reason if ":" in what else None, variant=number))


def people(tenant_id: UUID, rows: Sequence[Met], *, is_masked: bool) -> list[Person]:
    """Two queries."""
    known = audience.recipients({row.recipient_id for row in rows})
    addresses = _addresses(tenant_id, [row.endpoint_id for row in rows if row.endpoint_id], is_masked=is_masked)
    return [_person(row, known, addresses) for row in rows]


def _person(row: Met, known: Mapping[UUID, Any], addresses: Mapping[UUID, str]) -> Person:
    found = known.get(row.recipient_id)
    return Person(
        met=row,
        user_id=found.user_id if found else FORGOTTEN,
        address=addresses.get(row.endpoint_id, "") if row.endpoint_id else "",
        story=ids.show(ids.NOTIFICATION, row.notification_id),
        why=said(row.reason) or row.status.sentence,
    )


def _addresses(tenant_id: UUID, endpoint_ids: Sequence[UUID], *, is_masked: bool) -> dict[UUID, str]:
    """Tokens of devices are nobody's address: they stay masked."""
    masked = {id_: one.address for id_, one in profiles.endpoint_answers(tenant_id, endpoint_ids).items()}
    if is_masked:
        return masked
    opened = audience.endpoints(masked)
    return {id_: masked[id_] if one.channel == Channel.PUSH else one.address for id_, one in opened.items()}
