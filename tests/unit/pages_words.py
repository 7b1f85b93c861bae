"""Every sentence of the people's pages that is to be translated, read from templates and code."""

import ast
import re
from pathlib import Path

from apps.core.enums import Reason, SuppressionReason
from apps.pages.models import Why

ROOT = Path(__file__).parents[2]
_TAG = re.compile(r"""{%\s*translate\s+(?:"([^"]*)"|'([^']*)')""")
_CALLS = {"_", "gettext", "ngettext"}


def of_templates() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "templates" / "pages" / "person").glob("*.html"):
        found.update(one or other for one, other in _TAG.findall(path.read_text()))
    return found


def of_code() -> set[str]:
    paths = [*(ROOT / "apps" / "pages").glob("*.py"), ROOT / "apps" / "dispatch" / "letter_links.py"]
    return {
        node.args[0].value
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _CALLS
        and isinstance(node.args[0], ast.Constant)
    }


def of_enums() -> set[str]:
    return {member.sentence for kind in (Reason, SuppressionReason, Why) for member in kind}


def every() -> set[str]:
    return of_templates() | of_code() | of_enums()
