"""What a campaign lacks before it can be launched, as far as its own values tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gap:
    """`severity`: error, warning or info. `tab`: of the composer, where it is mended."""

    code: str
    severity: str
    text: str
    tab: str


def findings_of(campaign: Any, variants: Iterable[Any]) -> list[Gap]:
    found = []
    if not (campaign.audience or {}).get("include"):
        found.append(Gap("no_audience", "error", "Nobody was chosen yet.", "audience"))
    if not campaign.channels:
        found.append(Gap("no_channel", "error", "No channel was chosen.", "content"))
    for variant in variants:
        if not variant.template_key:
            found.append(Gap("no_template", "error", f"Variant {variant.name} has no content.", "content"))
    return found
