"""What was measured, as a table and as build/bench.json: {name: {ours, baseline, ratio, unit, ...}}."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

Result = dict[str, Any]


def result(unit: str, ours: list[float], baseline: list[float], target: str, **extra: Any) -> Result:
    """Medians of the runs; `ratio` is ours / baseline, None without a baseline."""
    mine = median(ours)
    theirs = median(baseline) if baseline else None
    return {
        "ours": _round(mine),
        "baseline": _round(theirs),
        "ratio": round(mine / theirs, 3) if theirs else None,
        "unit": unit,
        "target": target,
        "runs": [_round(value) for value in ours],
        "baseline_runs": [_round(value) for value in baseline],
        **extra,
    }


def table(results: dict[str, Result]) -> str:
    rows = [("measure", "ours", "baseline", "ratio", "unit", "target")]
    rows += [
        (name, *(_shown(found[key]) for key in ("ours", "baseline", "ratio", "unit", "target")))
        for name, found in results.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)


def write(path: Path, results: dict[str, Result]) -> None:
    """What an earlier run measured and this one did not stays."""
    found = json.loads(path.read_text()) if path.exists() else {}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**found, **results}, indent=1) + "\n")


def repeated(times: int, measure: Callable[[], Any]) -> list[Any]:
    return [measure() for _ in range(times)]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2 if abs(value) < 100 else 0)


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)
