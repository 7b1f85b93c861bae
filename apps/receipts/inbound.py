"""Texts that people send to our numbers."""

from collections.abc import Sequence

from apps.core.types import Account, InboundText


def take(account: Account, texts: Sequence[InboundText]) -> None:
    """In the transaction that applies the call; again whenever it is applied again."""
