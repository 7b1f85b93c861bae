"""What others speak for: messages that the recipient saw in another form, and those that a summary took the place of."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg.types.json import Jsonb

from apps.core.rows import execute, fetch


def engaged(notification_ids: Sequence[UUID]) -> set[UUID]:
    """Those of which the recipient has read, opened or followed any delivery. One query."""
    rows = fetch(
        """SELECT DISTINCT notification_id FROM ledger_delivery
        WHERE notification_id = ANY(%(ids)s) AND coalesce(read_at, opened_at, clicked_at) IS NOT NULL""",
        {"ids": list(notification_ids)},
    )
    return {id_ for (id_,) in rows}


def note_speaker(speakers: Mapping[UUID, UUID]) -> None:
    """By delivery: the summary that speaks for it from now on, though it was delivered itself. One statement; none for none."""
    if speakers:
        execute(
            "UPDATE ledger_delivery d SET merged_into = (%(by)s ->> d.id::text)::uuid WHERE d.id = ANY(%(ids)s)",
            {"ids": list(speakers), "by": Jsonb({str(id_): str(by) for id_, by in speakers.items()})},
        )
