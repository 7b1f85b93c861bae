"""What others speak for, though it went out itself."""

from collections.abc import Mapping
from uuid import UUID

from psycopg.types.json import Jsonb

from apps.core.rows import execute


def note_speaker(speakers: Mapping[UUID, UUID]) -> None:
    """By delivery: the summary that speaks for it from now on, though it was delivered itself. One statement; none for none."""
    if speakers:
        execute(
            "UPDATE ledger_delivery d SET merged_into = (%(by)s ->> d.id::text)::uuid WHERE d.id = ANY(%(ids)s)",
            {"ids": list(speakers), "by": Jsonb({str(id_): str(by) for id_, by in speakers.items()})},
        )
