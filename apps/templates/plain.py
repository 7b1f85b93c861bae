"""The short way through a template that only names values: text, `{{ a.b }}`, text. Most are that, and a campaign runs one a million times.

It says what the engine says, or nothing (None): whatever is not a text found under its name at once is left to the engine, with its rules,
limits and errors.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from liquid import BoundTemplate
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions.filtered import FilteredExpression
from liquid.builtin.expressions.path import Path
from liquid.builtin.output import OutputNode
from markupsafe import escape

from apps.templates.filters import is_safe_link


class Name(NamedTuple):
    """`is_link`: with the filter that mail_build adds where a value stands in a link."""

    path: tuple[str, ...]
    is_link: bool


Piece: TypeAlias = str | Name
_OF_ALL = frozenset({"size", "first", "last"})
"""What values have without a name."""
MOST = 10_000
"""Characters of a value, and pieces of a template: what costs steps of the engine's in earnest takes the long way."""


def said(template: BoundTemplate, data: Mapping[str, object]) -> str | None:
    pieces = _pieces(template)
    if pieces is None:
        return None
    is_html, out = template.env.autoescape, []
    for piece in pieces:
        if isinstance(piece, str):
            out.append(piece)
            continue
        value: object = data
        for name in piece.path:
            if not (type(value) is dict or isinstance(value, Mapping)) or (value := value.get(name)) is None:
                return None
        if not isinstance(value, str) or len(value) > MOST or (piece.is_link and not is_safe_link(value)):
            return None
        out.append(str(escape(value)) if is_html else str(value))
    return "".join(out)


def _pieces(template: BoundTemplate) -> list[Piece] | None:
    """Worked out once for each template, and kept with it."""
    kept = template.__dict__
    if "plain_pieces" not in kept:
        found = [_piece(node) for node in template.nodes]
        kept["plain_pieces"] = None if None in found or len(found) > MOST // 100 else found
    pieces: list[Piece] | None = kept["plain_pieces"]
    return pieces


def _piece(node: object) -> Piece | None:
    if type(node) is ContentNode:
        return str(node.text)
    if not isinstance(node, OutputNode) or type(node.expression) is not FilteredExpression:
        return None
    said = node.expression
    is_link = [(f.name, f.args) for f in said.filters or ()] == [("link", [])]
    if (said.filters and not is_link) or type(said.left) is not Path:
        return None
    path = said.left.path
    is_plain = all(isinstance(name, str) and name not in _OF_ALL for name in path)
    return Name(tuple(map(str, path)), is_link) if is_plain else None
