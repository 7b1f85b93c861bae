"""For every test of this folder: an empty Redis, so that the order of the files does not matter."""

import pytest

from apps.core.redis import quick


@pytest.fixture(autouse=True)
def _empty_redis() -> None:
    quick().flushdb()
