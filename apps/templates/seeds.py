"""Seed lists: people, by name, who get test sends together."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from apps.audience import selectors as audience
from apps.audience.addresses import address_hash, email_address, phone_number
from apps.audience.services import upsert_recipients
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.core.types import Address, InlineRecipient, Tenant
from apps.templates.models import SeedList

MOST = 50
MOST_LISTS = 100


@dataclass(frozen=True, slots=True)
class Seeds:
    name: str
    user_ids: tuple[str, ...]


def seed_lists(tenant: Tenant) -> tuple[Seeds, ...]:
    rows = SeedList.objects.of(tenant).order_by("name")
    return tuple(Seeds(name, tuple(user_ids)) for name, user_ids in rows.values_list("name", "user_ids"))


def seeds(tenant: Tenant, name: str, pointer: str = "/seed_list") -> Seeds:
    """Raises Problem: not_found."""
    row = SeedList.objects.of(tenant).filter(name=name).first() if name.isprintable() else None
    if row is None:
        raise Problem(Code.NOT_FOUND, f"There is no seed list `{name}`.", pointer=pointer)
    return Seeds(row.name, tuple(row.user_ids))


def save_seed_list(*, tenant: Tenant, name: str, user_ids: Sequence[str], addresses: Sequence[str] = ()) -> Seeds:
    """Replaces it. An address becomes a person of its own, as which it is stored, encrypted; the list names people only.

    Raises Problem: unknown_user, invalid_email, invalid_phone, out_of_range.
    """
    if not 1 <= len(name) <= 100 or not name.isprintable() or not name.strip():
        raise Problem(Code.OUT_OF_RANGE, "A name has 1 to 100 characters.", pointer="#path/name")
    with transaction.atomic():
        wanted = tuple(dict.fromkeys((*user_ids, *people_at(tenant, addresses, "/addresses"))))
        if len(wanted) > MOST:
            raise Problem(Code.OUT_OF_RANGE, f"At most {MOST} people.", pointer="/user_ids")
        refuse_unknown(tenant, user_ids, "/user_ids")
        others = SeedList.objects.of(tenant).exclude(name=name)
        if others.count() >= MOST_LISTS:
            raise Problem(Code.OUT_OF_RANGE, f"At most {MOST_LISTS} seed lists.", pointer="#path/name")
        SeedList.objects.update_or_create(tenant_id=tenant.id, name=name, defaults={"user_ids": list(wanted)})
    return Seeds(name, wanted)


def delete_seed_list(*, tenant: Tenant, name: str) -> bool:
    """Whether there was one."""
    return bool(name.isprintable() and SeedList.objects.of(tenant).filter(name=name).delete()[0])


def people_at(tenant: Tenant, addresses: Sequence[str], pointer: str) -> tuple[str, ...]:
    """The user_ids of those who stand for addresses in test sends: the same address is the same person. Raises Problem."""
    checked = [
        (email_address if "@" in text else phone_number)(text.strip(), f"{pointer}/{place}")
        for place, text in enumerate(addresses)
    ]
    inline = {user_id: address for address in checked if (user_id := _user_id(tenant, address))}
    if inline:
        people = [InlineRecipient(user_id, addresses=(address,)) for user_id, address in inline.items()]
        upsert_recipients(tenant=tenant, inline=people)
    return tuple(inline)


def refuse_unknown(tenant: Tenant, user_ids: Sequence[str], pointer: str) -> None:
    known = audience.recipient_ids(tenant.id, set(user_ids)) if user_ids else {}
    errors = [
        FieldError(f"{pointer}/{place}", Code.UNKNOWN_USER, f"The user_id `{user_id}` is not known.")
        for place, user_id in enumerate(user_ids)
        if user_id not in known
    ]
    if errors:
        raise Problem(Code.UNKNOWN_USER, errors[0].detail, errors=errors)


def _user_id(tenant: Tenant, address: Address) -> str:
    return f"test_{address_hash(tenant.id, address.channel, address.hashed).hex()[:20]}"
