"""Files are taken in and read a piece at a time, whatever their size."""

import gzip
import tracemalloc

import pytest

from apps.audience import models
from apps.audience.imports import intake as intakes
from apps.audience.imports.intake import Intake
from apps.audience.imports.reading import rows_of
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from tests.integration.admin_cast import acme

pytestmark = pytest.mark.django_db

MIB = 1024 * 1024
LINE = b"user_1234567,someone.1234567@example.com,Some Name Here,12345\n"


def test_a_file_of_many_chunks_takes_the_memory_of_a_few() -> None:
    tenant = acme()
    intake = Intake(tenant.id)
    piece = LINE * (64 * 1024 // len(LINE))
    tracemalloc.start()
    try:
        intake.feed(b"user_id,email,name,n\n")
        while intake.size < 24 * MIB:
            intake.feed(piece)
        intake.close()
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken < 12 * MIB
    assert models.ImportChunk.objects.of(tenant).filter(import_id=intake.import_id).count() > 20
    counted = sum(len(rows.values) for rows in rows_of(intake.import_id, ",", skipped=0))
    assert counted == intake.lines - 1


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes that become more than a file may have."""
    monkeypatch.setattr(intakes, "MOST_BYTES", 4 * MIB)
    bomb = gzip.compress(b"id,n\n" + b"u,1\n" * (4 * MIB))
    assert len(bomb) < 64 * 1024
    tenant = acme()
    intake = Intake(tenant.id)
    tracemalloc.start()
    try:
        with pytest.raises(Problem) as refusal:
            intake.feed(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refusal.value.code is Code.BODY_TOO_LARGE
    assert peak < 12 * MIB
    intake.discard()
    assert not models.ImportChunk.objects.of(tenant).exists()
