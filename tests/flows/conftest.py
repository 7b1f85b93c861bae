from collections.abc import Iterator

import pytest

from tests.flows.world import World, running


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("flows")) as world:
        yield world
