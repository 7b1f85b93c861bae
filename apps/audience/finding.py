"""A person, by whatever an operator has of them: the tenant's own id, an email address, a phone number."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from apps.audience import models
from apps.audience.addresses import address_hashes, email_address, phone_number
from apps.core.problems import Problem
from apps.core.types import Address

MOST = 100


def recipients_by(text: str, tenant_ids: Iterable[UUID]) -> list[UUID]:
    """Ids of recipients, of these tenants, at most MOST. One query; an address costs a second one. No address is decrypted."""
    tenants = list(tenant_ids)
    if "\x00" in text or not tenants:
        return []
    people = models.Recipient.objects.all_tenants().filter(tenant_id__in=tenants, user_id=text)
    found = list(people.values_list("id", flat=True)[:MOST])
    if (wanted := address_named(text, tenants)) is not None:
        owners = models.Endpoint.objects.all_tenants().filter(wanted).values_list("recipient_id", flat=True)
        found += [owner for owner in owners.distinct()[:MOST] if owner not in found]
    return found


def address_named(text: str, tenant_ids: Iterable[UUID]) -> Q | None:
    """For tables with `tenant_id` and `address_hash`; None when the text is no address. The hash of an address differs from
    tenant to tenant, so that each has a condition of its own."""
    try:
        address = email_address(text, "") if "@" in text else phone_number(text, "")
    except Problem:
        return None
    wanted = Q()
    for tenant_id in tenant_ids:
        wanted |= Q(tenant_id=tenant_id, address_hash__in=address_hashes(tenant_id, address.channel, address.hashed))
    return wanted


def holders(address: Address, tenant_ids: Iterable[UUID]) -> list[tuple[UUID, UUID]]:
    """(tenant, recipient) of those, of these tenants, who have this address on its channel; retired ones too. One query."""
    tenants = list(tenant_ids)
    hashes = [found for one in tenants for found in address_hashes(one, address.channel, address.hashed)]
    rows = models.Endpoint.objects.all_tenants().filter(tenant_id__in=tenants, address_hash__in=hashes)
    named = rows.filter(channel=address.channel.value).order_by("tenant_id", "recipient_id")
    return list(named.values_list("tenant_id", "recipient_id").distinct())


def stored_hashes(recipient_id: UUID) -> list[bytes]:
    """Of a person's addresses, retired ones too, as they are stored."""
    rows = models.Endpoint.objects.all_tenants().filter(recipient_id=recipient_id)
    return [bytes(found) for found in rows.values_list("address_hash", flat=True)]
