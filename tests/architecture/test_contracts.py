"""The import contracts hold, and a planted violation of each is caught."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
ROOMS = "In each room: doors above verbs above questions above tables"
# contract -> (file, line to plant); tables have one contract each, added below
PLANTED = {
    "One way through the house": ("apps/core/ids.py", "import apps.tenants.keys"),
    ROOMS: ("apps/events/models.py", "import apps.events.services"),
    "The brain is pure": ("apps/routing/rules.py", "import django.db"),
    "Providers know only the provider contract": ("apps/channels/providers/smtp.py", "import apps.ledger.work"),
}
PLANTED |= {
    contract["name"]: ("notifier/urls.py", f"import {contract['protected_modules'][0]}")
    for contract in CONTRACTS
    if contract["type"] == "protected"
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Contracts broken in a copy of the tree in which every violation is planted; a first run says that none was before."""
    copy = tmp_path_factory.mktemp("house")
    ignored = shutil.ignore_patterns("__pycache__", "static", "*.css", "*.js")
    for package in ("apps", "notifier"):
        shutil.copytree(ROOT / package, copy / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    assert lint(copy) == set()
    for path, line in PLANTED.values():
        file = copy / path
        file.write_text(f"{file.read_text()}\n{line}\n")
    return lint(copy)


def lint(directory: Path) -> set[str]:
    """The names of the contracts that are broken."""
    script = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    ran = subprocess.run(
        [sys.executable, "-c", script, "--no-cache"],
        cwd=directory,
        env={"PYTHONPATH": str(directory), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = ran.stdout.splitlines()
    verdicts = [line.strip() for line in lines if " KEPT" in line or " BROKEN" in line]
    assert len(verdicts) == len(CONTRACTS), ran.stdout + ran.stderr
    assert ran.returncode == int(any("BROKEN" in line for line in verdicts))
    return {line.rpartition(" BROKEN")[0] for line in verdicts if " BROKEN" in line}


@pytest.mark.parametrize("contract", [contract["name"] for contract in CONTRACTS])
def test_a_planted_violation_breaks_its_contract(contract: str, broken: set[str]) -> None:
    assert contract in broken


def test_every_app_with_tables_protects_them() -> None:
    with_tables = {f"apps.{path.parent.name}.models" for path in (ROOT / "apps").glob("*/models.py")}
    with_tables |= {f"apps.{path.parent.parent.name}.models" for path in (ROOT / "apps").glob("*/models/__init__.py")}
    protected = {module for c in CONTRACTS if c["type"] == "protected" for module in c["protected_modules"]}
    assert with_tables == protected


def test_every_app_is_a_room_and_has_its_place() -> None:
    apps = {f"apps.{path.parent.name}" for path in (ROOT / "apps").glob("*/__init__.py")}
    contracts = {contract["name"]: contract for contract in CONTRACTS}
    placed = {name.strip() for layer in contracts["One way through the house"]["layers"] for name in layer.split("|")}
    assert placed == apps | {"notifier"}
    pure = {"apps.core", "apps.routing"}
    assert set(contracts[ROOMS]["containers"]) == apps - pure
