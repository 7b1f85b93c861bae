"""The price table, as a value. Amounts are micros: millionths of a currency, for each part of a message."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.channels import models
from apps.core.enums import Channel
from apps.core.tenant_scope import looking


@dataclass(frozen=True, slots=True)
class Rate:
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class PriceRow:
    is_own: bool
    channel: str
    provider: str
    account: str
    place: str
    rate: Rate
    valid_from: datetime

    def fits(self, channel: str, provider: str, account: str, place: str, at: datetime) -> bool:
        return (
            self.channel == channel
            and self.valid_from <= at
            and self.account in ("", account)
            and self.provider in ("", provider)
            and place.startswith(self.place)
        )

    @property
    def rank(self) -> tuple[bool, bool, bool, int, datetime]:
        return self.is_own, bool(self.account), bool(self.provider), len(self.place), self.valid_from


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a tenant pays in one currency. Its own rows go before those for all, an account's before a provider's, a long place before a
    short one, the newest of those that are equal."""

    currency: str
    rows: tuple[PriceRow, ...]
    _known: dict[tuple[str, str, str, str, int], Rate | None] = field(default_factory=dict, repr=False, compare=False)

    def rate(
        self, channel: str, *, at: datetime, provider: str = "", account: str = "", place: str = ""
    ) -> Rate | None:
        """None: nobody has said what it costs."""
        key = channel, provider, account, place, bisect_right(self.changes, at)
        if key not in self._known:
            fitting = [row for row in self.rows if row.fits(channel, provider, account, place, at)]
            self._known[key] = max(fitting, key=lambda row: row.rank).rate if fitting else None
        return self._known[key]

    @property
    def changes(self) -> list[datetime]:
        """When prices changed, in order."""
        return sorted({row.valid_from for row in self.rows})

    def has_prices(self, channel: str, at: datetime) -> bool:
        return any(row.channel == channel and row.valid_from <= at for row in self.rows)


def tariff(tenant_id: UUID, currency: str) -> Tariff:
    """With all that was and will be. One query."""
    rows = _prices_of(tenant_id).filter(currency=currency)
    columns = ("tenant_id", "channel", "provider", "account", "place", "low", "high", "valid_from")
    return Tariff(currency, tuple(_rows(rows.values_list(*columns))))


def currencies(tenant_id: UUID, channel: Channel) -> frozenset[str]:
    """In which prices of the channel are known. One query."""
    found = _prices_of(tenant_id).filter(channel=channel.value)
    return frozenset(found.values_list("currency", flat=True).distinct())


def _prices_of(tenant_id: UUID) -> QuerySet[models.Price]:
    """Those of the whole installation count for everybody: for who may not look at them, too."""
    with looking(None):
        found: QuerySet[models.Price] = models.Price.objects.all_tenants()
    return found.filter(Q(tenant_id=tenant_id) | Q(tenant=None))


def _rows(rows: object) -> Iterator[PriceRow]:
    for tenant_id, channel, provider, account, place, low, high, valid_from in rows:  # type: ignore[attr-defined]
        yield PriceRow(tenant_id is not None, channel, provider, account, place, Rate(low, high), valid_from)


def set_price_once(
    *, tenant_id: UUID, channel: Channel, place: str, low: int, high: int, currency: str, valid_from: datetime
) -> bool:
    """For any provider and account. False: there is a price for just that, which stays."""
    _, is_new = models.Price.objects.of(tenant_id).get_or_create(
        **{"tenant_id": tenant_id, "channel": channel.value, "provider": "", "account": "", "place": place},
        **{"currency": currency, "valid_from": valid_from},
        defaults={"low": low, "high": high},
    )
    return bool(is_new)
