"""What of a page the budgets still allow; the rest is withheld, and says so."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from apps.ledger.campaign_pages import NewMessage


def afford(run: Any, messages: Sequence[NewMessage], now: datetime) -> tuple[list[NewMessage], str]:
    """With why the run cannot go on, or nothing. In the page's transaction."""
    return list(messages), ""
