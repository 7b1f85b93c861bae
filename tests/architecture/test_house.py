"""Sizes, names and manners that no tool checks."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median, quantiles

import pytest
from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver

from apps.core.enums import Scope
from apps.core.problem_codes import Code

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path for room in ("apps", "notifier") for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts
)
FORBIDDEN = {"utils", "helpers", "common", "misc", "manager", "signals", "exceptions", "constants"}
ANY_TENANT = {
    # who they are, or for all tenants alike
    "tenants.Tenant",
    # keys are hashes over the tenant's id; a stored call belongs to an account, which may serve every tenant
    "ledger.SeenKey",
    # what one claim took is of all tenants that had their share
    "ledger.Lease",
    "receipts.ReceiptCall",
    # whose it is says its delivery, when it is applied
    "receipts.TrackedEvent",
    # of an account, which may serve every tenant
    "insights.ReceiptNorm",
    # up to when all of them were worked off
    "insights.Mark",
}


# tables of data, in which every row takes its lines
DATA = {"apps/core/problem_codes.py"}


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_is_longer_than_300_lines() -> None:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in FILES if shown(path) not in DATA}
    assert {name: lines for name, lines in lengths.items() if lines > 300} == {}
    assert median(lengths.values()) < 100
    assert quantiles(lengths.values(), n=10)[-1] <= 220


def test_modules_are_named_for_an_idea() -> None:
    named = [shown(path) for path in FILES if {path.stem, *path.relative_to(ROOT).parts} & FORBIDDEN]
    assert named == []


def test_every_app_has_its_doorplate() -> None:
    for plate in (ROOT / "apps").glob("*/__init__.py"):
        lines = plate.read_text().splitlines()
        assert ast.get_docstring(ast.parse(plate.read_text())), shown(plate)
        assert len(lines) <= 14, shown(plate)


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Calls and handlers of exceptions."""
    found = ast.walk(ast.parse(path.read_text()))
    return [node for node in found if isinstance(node, ast.Call | ast.ExceptHandler)]


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in nodes(path) if isinstance(node, ast.Call))


@pytest.mark.parametrize("word", ["eta", "countdown"])
def test_no_task_is_planned_in_the_broker(word: str) -> None:
    """Time lives in PostgreSQL: a broker that forgets would forget it."""
    found = [
        f"{shown(path)}:{call.lineno}"
        for path in FILES
        for call in calls(path)
        if any(keyword.arg == word for keyword in call.keywords)
    ]
    assert found == []


def test_no_exception_is_swallowed() -> None:
    swallowed = [
        f"{shown(path)}:{node.lineno}"
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
        and all(isinstance(line, ast.Pass) for line in node.body)
    ]
    assert swallowed == []


def test_the_clock_is_read_in_one_place() -> None:
    read = re.compile(r"\b(datetime\.(now|utcnow|today)|date\.today|timezone\.now)\(")
    assert [shown(path) for path in FILES if read.search(path.read_text())] == ["apps/core/clock.py"]


def test_what_is_taken_in_part_is_picked_once() -> None:
    """A plan may go through IN (SELECT ..) again for each row: LIMIT and SKIP LOCKED then find others. ANY(ARRAY(SELECT ..)) runs once."""
    picked = re.compile(
        r"\bIN \(\s*SELECT\b(?:[^()]|\((?:[^()]|\([^()]*\))*\))*\b(?:LIMIT|FOR (?:NO KEY )?UPDATE|FOR (?:KEY )?SHARE)\b"
    )
    assert [shown(path) for path in FILES if picked.search(path.read_text())] == []


def variables() -> set[str]:
    """Every name that the environment is asked for."""
    found: set[str] = set()
    readers = {"text", "integer", "flag", "words", "url", "keys"}
    for path in FILES:
        for call in calls(path):
            if (
                isinstance(call.func, ast.Attribute)
                and isinstance(call.func.value, ast.Name)
                and call.func.value.id == "env"
                and call.func.attr in readers
                and isinstance(call.args[0], ast.Constant)
            ):
                found.add(str(call.args[0].value))
    return found


def test_every_variable_has_a_row_in_the_docs() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "configuration.md").read_text(), re.M)
    asked = variables()
    assert len(asked) > 15
    assert asked - set(rows) == set()
    assert len(rows) == len(set(rows))


def test_every_table_belongs_to_a_tenant() -> None:
    without = {
        model._meta.label.replace("message_templates.", "templates.")
        for config in apps.get_app_configs()
        if config.name.startswith("apps.")
        for model in config.get_models()
        if "tenant_id" not in {field.attname for field in model._meta.get_fields() if hasattr(field, "attname")}
    }
    assert without == ANY_TENANT


def test_every_chain_begins_with_its_tenant() -> None:
    begins = re.compile(
        r"\.objects\.(?!of\(|all_tenants\(|create\(|bulk_create\(|get_or_create\(|update_or_create\(|bulk_update\()(\w+)"
    )
    tenantless = re.compile(
        r"\b(Tenant|SeenKey|ReceiptCall|TrackedEvent|ReceiptNorm|User|PeriodicTask|LogEntry|Session|Group|Permission)\.objects"
    )
    found = [
        f"{shown(path)}:{number}"
        for path in FILES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if begins.search(line) and not tenantless.search(line)
    ]
    assert found == []


def views(patterns: object = None, prefix: str = "") -> Iterator[tuple[str, type]]:
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:  # type: ignore[attr-defined]
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "view_class"):
            yield route, pattern.callback.view_class
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "cls"):
            yield route, pattern.callback.cls


def test_every_view_of_the_api_names_a_scope_for_every_method() -> None:
    from rest_framework.views import APIView

    from apps.inbox.authentication import InboxTokenAuthentication

    seen = 0
    for route, view in views():
        if not route.startswith("v1/") or not issubclass(view, APIView):
            continue
        if any(issubclass(way, InboxTokenAuthentication) for way in view.authentication_classes):
            continue  # a person's own feed: the token says whose
        if not view.authentication_classes or not view.permission_classes:
            assert route.startswith("v1/providers/") or "schema" in route or "receipts" in route, route
            continue
        methods = {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)}
        scopes = getattr(view, "scopes", {})
        assert set(scopes) >= methods, route
        assert all(isinstance(scope, Scope) for scope in scopes.values()), route
        seen += 1
    assert seen > 10


def test_every_error_code_has_its_place_on_the_page(client: object) -> None:
    page = client.get("/docs/errors").content.decode()  # type: ignore[attr-defined]
    assert [code for code in Code if f'id="{code.value}"' not in page] == []
