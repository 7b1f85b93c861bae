"""The guide shows the same magic addresses as the code."""

from pathlib import Path

from apps.channels.sandbox.behaviour import BEHAVIOURS

GUIDE = Path(__file__).parents[2] / "docs" / "adding-a-provider.md"


def test_the_guide_lists_every_magic_address() -> None:
    rows = [f"| `{b.word}` | {b.phone} | {b.sentence} |" for b in BEHAVIOURS]
    lines = GUIDE.read_text().splitlines()
    assert [line for line in lines if line in rows] == rows
