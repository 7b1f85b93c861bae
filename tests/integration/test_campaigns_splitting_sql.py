"""PostgreSQL and Python say the same about everybody."""

from uuid import UUID, uuid4

import pytest

from apps.campaigns import splitting
from apps.campaigns.splitting import Purpose
from apps.core.rows import fetch

pytestmark = pytest.mark.django_db

EDGES = [UUID(int=0), UUID(int=(1 << 128) - 1)]


@pytest.mark.parametrize("weights", [(1,), (1, 1), (5, 0, 3, 2), (0, 7)])
def test_shares_and_variants_agree(weights: tuple[int, ...]) -> None:
    people, salt = [*EDGES, *(uuid4() for _ in range(2_000))], splitting.salt_of(uuid4(), Purpose.VARIANT)
    share = splitting.SHARE_SQL.format(id="p.id", salt="%(salt)s::bytea")
    variant = splitting.VARIANT_SQL.format(share=share, bounds="%(bounds)s::bigint[]")
    rows = fetch(
        f"SELECT p.id, {share}, {variant} FROM unnest(%(people)s::uuid[]) AS p (id)",
        {"people": people, "salt": salt, "bounds": list(splitting.bounds_of(weights))},
    )
    expected = [
        (id_, splitting.share(id_, salt), splitting.variant_of(splitting.share(id_, salt), weights)) for id_ in people
    ]
    assert rows == expected


def test_the_hash_that_is_written_down() -> None:
    rosa, salt = (
        UUID("0194b000-0000-7000-8000-00000000000a"),
        splitting.salt_of(UUID("0194a000-0000-7000-8000-000000000001"), Purpose.VARIANT),
    )
    share = splitting.SHARE_SQL.format(id="%(rosa)s::uuid", salt="%(salt)s::bytea")
    assert fetch(f"SELECT {share}", {"rosa": rosa, "salt": salt}) == [(546_203,)]
