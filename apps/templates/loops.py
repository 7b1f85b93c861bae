"""`{% for %}` over a range that is never turned into a list before its length is known to be small."""

from collections.abc import Iterator
from typing import Any

from liquid import RenderContext
from liquid.ast import Node
from liquid.builtin.expressions import LoopExpression
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.stream import TokenStream


class BoundedLoop(LoopExpression):
    """The library makes a list of a `reversed` range before it asks for the limit."""

    __slots__ = ()

    def _to_iter(self, obj: object, context: RenderContext) -> tuple[Iterator[Any], int]:
        if isinstance(obj, range) and (length := obj.stop - obj.start) > (context.env.loop_iteration_limit or 0):
            context.raise_for_loop_limit(length)
        return super()._to_iter(obj, context)


class BoundedForTag(ForTag):
    def parse(self, stream: TokenStream) -> Node:
        node = super().parse(stream)
        if isinstance(node, ForNode):
            loop = node.expression
            node.expression = BoundedLoop(
                loop.token,
                loop.identifier,
                loop.iterable,
                limit=loop.limit,
                offset=loop.offset,
                reversed_=loop.reversed,
                cols=loop.cols,
            )
        return node
