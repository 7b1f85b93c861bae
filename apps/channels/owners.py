"""Whose a provider account is."""

from uuid import UUID

from apps.channels.models import ProviderAccount


def owner_of(account_id: UUID) -> UUID | None:
    """The tenant; None for an account that serves all tenants without one of their own. Not cached."""
    rows = ProviderAccount.objects.all_tenants().filter(id=account_id)
    return rows.values_list("tenant_id", flat=True).first()
