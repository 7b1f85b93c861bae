"""What the pages say about the code is compared with the code."""

import ast
import re
from pathlib import Path

import pytest

from apps.channels.sandbox.behaviour import BEHAVIOURS
from apps.ledger.partitions import MONTHS_AHEAD
from apps.routing.retrying import GIVE_UP_AFTER, delays
from notifier.env import check as check_environment
from notifier.pools import POOLS

PROJECT = Path(__file__).parents[2]
PAGES = sorted([PROJECT / "README.md", PROJECT / "CHANGELOG.md", *(PROJECT / "docs").glob("*.md")])
CONFIGURATION = (PROJECT / "docs" / "configuration.md").read_text()
READERS = [PROJECT / "notifier" / "settings.py", PROJECT / "notifier" / "pools.py"]
SURROUNDINGS = [*sorted((PROJECT / "notifier" / "local").glob("*.py")), PROJECT / "tests" / "embedded.py"]
# of processes and of the test runner, not ours to explain
NOT_OURS = {"MAKELEVEL", "DJANGO_SETTINGS_MODULE", "PYTEST_XDIST_WORKER"}


def called_with_a_name(path: Path, *owners: str) -> dict[str, ast.Call]:
    """Calls of a method of one of `owners` (`env.text`, `os.environ.get`) by their first argument, if that is a string."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            first = node.args[0]
            if ast.unparse(node.func.value) in owners and isinstance(first, ast.Constant):
                found[str(first.value)] = node
    return found


def rows(heading: str) -> dict[str, str]:
    """Name and default of the table below a heading of docs/configuration.md."""
    section = CONFIGURATION.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| .+ \|$", section, re.MULTILINE))


SERVICE = rows("The service") | rows("The sandbox") | rows("Limits and times")
READ = {name: call for path in READERS for name, call in called_with_a_name(path, "env").items() if name.isupper()}


def test_every_variable_that_the_service_reads_has_a_row() -> None:
    assert set(SERVICE) == set(READ)


def test_every_variable_that_the_runner_and_the_tests_read_has_a_row() -> None:
    names = {
        name for path in SURROUNDINGS for name in called_with_a_name(path, "os.environ", "environ", "self._environ")
    }
    ours = {name for name in names if name.isupper()} - NOT_OURS - set(SERVICE)
    assert set(rows("The local runner and the tests")) == ours


@pytest.mark.parametrize("name", sorted(READ))
def test_the_default_is_the_one_that_is_shown(name: str) -> None:
    call, shown = READ[name], SERVICE[name]
    default = call.args[1] if len(call.args) > 1 else None
    match default:
        case None if call.func.attr in {"words"}:  # type: ignore[attr-defined]
            assert shown == "empty"
        case None:
            assert shown == "required"
        case ast.Constant(value=bool(flag)):
            assert shown == f"`{int(flag)}`"
        case ast.Constant(value=value):
            assert shown == (f"`{value}`" if value != "" else "empty")
        case _:
            assert shown not in {"required", "empty"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert fragment in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`((?:apps|notifier|tests|docs)/[\w./-]+)`", page.read_text())
    assert [name for name in named if not (PROJECT / name).exists()] == []


def test_the_sandbox_page_lists_every_magic_address() -> None:
    listed = re.findall(r"^\| `\w+` \| \+1.*$", (PROJECT / "docs" / "sandbox.md").read_text(), re.MULTILINE)
    assert listed == [f"| `{b.word}` | {b.phone} | {b.sentence} |" for b in BEHAVIOURS]


def test_the_numbers_in_the_pages_are_those_of_the_code() -> None:
    deploying = (PROJECT / "docs" / "deploying.md").read_text()
    operating = (PROJECT / "docs" / "operating.md").read_text()
    check_environment()
    assert f"{sum(pool.concurrency * pool.processes for pool in POOLS)} for one of each worker" in deploying
    assert f"`{'` `'.join(pool.name for pool in POOLS[:4])}`" in deploying
    assert MONTHS_AHEAD == 3 and "next three months" in operating
    assert GIVE_UP_AFTER.total_seconds() == 24 * 3600 and "the end is 24 hours" in operating
    planned = delays(None, None)  # type: ignore[arg-type]
    assert len(planned) + 1 == 6 and sum(planned) == 1200 and "six attempts in about 20 minutes" in operating
