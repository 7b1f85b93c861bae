"""docs/template-editor.md names every remark there is, and no other."""

import re
from pathlib import Path

from apps.templates.faults import Fault

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "template-editor.md").read_text()
CODES = re.compile(r'(?:Finding|placed)\(\s*"([a-z0-9_]+)"|code, severity(?:, text)? = "([a-z0-9_]+)"')
# of things that are no source of an author's, or named by their own codes
NOT_TOLD = {Fault.NO_TEMPLATE.value}


def test_every_remark_has_a_row() -> None:
    table = PAGE.split("| code |")[1]
    told = {code for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)}
    sources = [*(PROJECT / "apps" / "templates" / "linting").glob("*.py"), PROJECT / "apps" / "templates" / "trying.py"]
    said = {one or other for path in sources for one, other in CODES.findall(path.read_text())}
    said |= {"long_title", "long_body"} | {fault.value for fault in Fault} - NOT_TOLD
    assert told == said
