"""Through which accounts deliveries went before, and what came of it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from apps.core.enums import OutcomeKind
from apps.core.rows import fetch

Tried = Mapping[str, Mapping[OutcomeKind, int]]
"""By account key: how many attempts ended how. Attempts without an answer are left out."""

NOTHING: Tried = {}


def tried_accounts(ids: Sequence[UUID]) -> dict[UUID, Tried]:
    """One query."""
    found: dict[UUID, dict[str, dict[OutcomeKind, int]]] = {}
    rows = fetch(
        """SELECT delivery_id, account, kind, count(*) FROM ledger_attempt
        WHERE delivery_id = ANY(%(ids)s) AND kind <> '' GROUP BY 1, 2, 3""",
        {"ids": list(ids)},
    )
    for delivery, account, kind, count in rows:
        found.setdefault(delivery, {}).setdefault(account, {})[OutcomeKind(kind)] = count
    return dict(found)
