"""What of a page the budgets still allow; the rest is withheld, and says so."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from apps.campaigns.budgeting import reserve
from apps.campaigns.costing import charges
from apps.core.enums import Channel, DeliveryStatus, Reason
from apps.ledger.campaign_pages import Fate, NewMessage
from apps.ledger.lifecycle import WAITING


def afford(run: Any, messages: Sequence[NewMessage], now: datetime) -> tuple[list[NewMessage], str]:
    """With why the run cannot go on, or nothing. In the page's transaction.

    Messages whose channel is not decided yet are counted on every channel that they may take.
    """
    prices = charges(run.estimate)
    if not any(prices.values()):
        return list(messages), ""
    channels = [Channel(channel) for channel in run.definition["channels"]]
    wanted: dict[str, list[int]] = {channel.value: [] for channel in channels}
    for message in messages:
        for fate in _asked(message, channels):
            wanted.setdefault(fate.channel.value, []).append(_charge(prices, fate))
    granted = reserve(tenant_id=run.tenant_id, run_id=run.id, wanted=wanted, now=now)
    if not granted.sentence:
        return list(messages), ""
    left = dict(granted.allowed)
    return [_within(message, left, channels) for message in messages], granted.sentence


def is_limited(run: Any) -> bool:
    """Whether its messages cost anything: then each is counted."""
    return any(charges(run.estimate).values())


def _asked(message: NewMessage, channels: Sequence[Channel]) -> list[Fate]:
    if message.fates is None:
        return [Fate(channel, None, DeliveryStatus.QUEUED) for channel in channels]
    return [fate for fate in message.fates if fate.status in WAITING]


def _charge(prices: Mapping[tuple[str, str], int], fate: Fate) -> int:
    known = prices.get((fate.channel.value, fate.place))
    return prices.get((fate.channel.value, ""), 0) if known is None else known


def _within(message: NewMessage, left: dict[str, int], channels: Sequence[Channel]) -> NewMessage:
    """`left`: by channel, how many more are allowed; counted down."""
    refused = []
    for fate in _asked(message, channels):
        name = fate.channel.value
        left[name] -= 1
        if left[name] < 0:
            refused.append(fate)
    if not refused:
        return message
    fates = refused if message.fates is None else message.fates
    return replace(message, fates=[_withheld(fate) if fate in refused else fate for fate in fates])


def _withheld(fate: Fate) -> Fate:
    return replace(fate, status=DeliveryStatus.SKIPPED, reason=Reason.OVER_BUDGET, due_at=None, because=None)
