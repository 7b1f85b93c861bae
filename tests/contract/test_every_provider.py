"""No provider without its cases."""

from pathlib import Path

from apps.channels.registry import providers


def test_every_provider_has_a_case_folder() -> None:
    folders = {path.parent.name for path in Path(__file__).parent.glob("*/test_*.py")}
    assert folders == set(providers())


def test_every_provider_says_what_it_carries() -> None:
    for name, provider in providers().items():
        assert provider.name == name
        assert provider.channels
        assert provider.max_batch >= 1
