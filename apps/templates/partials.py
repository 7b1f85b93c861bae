"""`{% render 'footer', colour: 'red' %}`: a piece that many templates share, put into each when that is published.

A partial sees `recipient`, `data` and the like, and what it is given by name; nothing else of the template around it, and it changes
nothing there. It has no partials of its own. It spends the steps and the output of the template that renders it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TextIO

from liquid import RenderContext
from liquid.ast import Node
from liquid.builtin.expressions import KeywordArgument, StringLiteral, parse_primitive
from liquid.exceptions import LiquidError, LiquidInterrupt, LiquidSyntaxError
from liquid.expression import Expression
from liquid.stream import TokenStream
from liquid.tag import Tag
from liquid.token import TOKEN_TAG, Token

_NOTHING: Mapping[str, str] = MappingProxyType({})
_known: ContextVar[Mapping[str, str] | None] = ContextVar("partials", default=_NOTHING)
_named: ContextVar[set[str] | None] = ContextVar("named_partials", default=None)


@contextmanager
def finding(partials: Mapping[str, str] | None) -> Iterator[None]:
    """What is parsed meanwhile finds these; None: any name, empty."""
    before = _known.set(partials)
    try:
        yield
    finally:
        _known.reset(before)


@contextmanager
def naming() -> Iterator[set[str]]:
    """The names of the partials of what is parsed meanwhile."""
    found: set[str] = set()
    before = _named.set(found)
    try:
        yield found
    finally:
        _named.reset(before)


class PartialNode(Node):
    __slots__ = ("args", "name", "nodes")

    def __init__(self, token: Token, name: str, args: list[KeywordArgument], nodes: list[Node]) -> None:
        super().__init__(token)
        self.name, self.args, self.nodes, self.blank = name, args, nodes, False

    def __str__(self) -> str:
        given = "".join(f", {arg}" for arg in self.args)
        return f"{{% render '{self.name}'{given} %}}"

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        given = {arg.name: arg.value.evaluate(context) for arg in self.args}
        scope, names = context.scope, context.locals
        context.locals = given
        context.scope = type(scope)(given, context.globals, context.counters)
        try:
            return sum(node.render(context, buffer) for node in self.nodes)
        except LiquidInterrupt as error:
            raise LiquidSyntaxError(f"In `{self.name}`: `{error}` belongs into a loop.", token=self.token) from error
        except LiquidError as error:
            raise type(error)(f"In `{self.name}`: {error.message}", token=self.token) from error
        finally:
            context.scope, context.locals = scope, names

    def expressions(self) -> Iterable[Expression]:
        return (arg.value for arg in self.args)


class PartialTag(Tag):
    name = "render"
    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        inner = stream.into_inner(tag=token, eat=False)
        name: Any = parse_primitive(self.env, inner)
        if not isinstance(name, StringLiteral):
            raise LiquidSyntaxError("Name the partial in quotes: `{% render 'footer' %}`.", token=token)
        if inner.current.value in ("with", "for"):
            raise LiquidSyntaxError("Give a partial its values by name: `{% render 'row', item: x %}`.", token=token)
        args = KeywordArgument.parse(self.env, inner)
        return PartialNode(token, name.value, args, self._nodes(name.value, token))

    def _nodes(self, name: str, token: Token) -> list[Node]:
        if (named := _named.get()) is not None:
            named.add(name)
        partials = _known.get()
        if partials is None:
            return []
        if name not in partials:
            raise LiquidSyntaxError(f"There is no published partial `{name}` here.", token=token)
        with finding(_NOTHING):
            return self.env.from_string(partials[name]).nodes
