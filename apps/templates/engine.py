"""Liquid, fenced in: what a stranger's template may use, how much of it, and what missing data is.

The library's three limits stop nested loops, large outputs and large variables. They do not see sequential loops, filters
that multiply a string within one expression, ranges turned into lists, or work on large values, so that every node, filter
and look-up here also spends steps, and the few filters whose result can outgrow their input are bounded before they run.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from io import StringIO
from types import MappingProxyType
from typing import Any, ClassVar, TextIO

from liquid import Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.exceptions import (
    LiquidError,
    LiquidInterrupt,
    LiquidSyntaxError,
    LocalNamespaceLimitError,
    LoopIterationLimitError,
    OutputStreamLimitError,
    ResourceLimitError,
    UndefinedError,
    UnknownFilterError,
)
from liquid.template import BoundTemplate
from liquid.token import Token
from liquid.undefined import UNDEFINED, FalsyStrictUndefined
from liquid.utils import ReadOnlyChainMap
from markupsafe import escape

from apps.templates import braces, filters, plain
from apps.templates.faults import Fault, RenderError, place_of
from apps.templates.loops import BoundedForTag
from apps.templates.partials import PartialTag, finding

LOOPS = 10_000
OUTPUT = 500_000
NAMESPACE = 200_000
STEPS = 200_000
FORMATTING = 60
_NONE: list[str] = []
_TAGS = frozenset({"include", "tablerow", "liquid", "doc"})


class Missing(FalsyStrictUndefined):
    """Data that is not there: `default` and conditions may ask, everything else is an error."""

    __slots__ = ()


class Buffer(StringIO):
    """What a template writes; counted in characters."""

    def __init__(self, context: "Context", limit: int) -> None:
        super().__init__()
        self.context, self.limit, self.size = context, limit, 0

    def write(self, text: str) -> int:
        size = len(text)
        self.size += size
        if size > 255:
            self.context.spend(size >> 8)
        if self.size > self.limit:
            raise OutputStreamLimitError(f"It writes more than {OUTPUT:,} characters.", token=None)
        return super().write(text)


class Scope(ReadOnlyChainMap):
    """Asks before it looks: most names are found in the last map, and a KeyError for each map before costs more than all else."""

    def __getitem__(self, key: str) -> object:
        for names in self._maps:
            if key in names:
                return names[key]
        raise KeyError(key)


class Context(RenderContext):
    """One rendering: its data, and what it has spent."""

    __slots__ = ("looped", "size_of_locals", "spent")

    def __init__(self, template: BoundTemplate, **options: Any) -> None:
        super().__init__(template, **options)
        self.spent = self.looped = self.size_of_locals = 0
        self.scope = Scope(self.locals, self.globals, self.counters)

    @property
    def disabled_tags(self) -> list[str]:
        """Every node asks this before it renders: the one place to count them all, loops with empty bodies too."""
        self.spent += 1
        if self.spent > STEPS:
            self.spend(0)
        return _NONE

    @disabled_tags.setter
    def disabled_tags(self, value: object) -> None:
        pass

    def spend(self, steps: int) -> None:
        self.spent += steps
        if self.spent > STEPS:
            raise LoopIterationLimitError("It takes too many steps.", token=None)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """All iterations of all loops together, where the library counts nested ones only."""
        self.looped += length
        if self.looped > LOOPS:
            raise LoopIterationLimitError(f"Its loops run more than {LOOPS:,} times.", token=None)

    def get(self, path: list[Any], *, token: Token | None, default: object = UNDEFINED) -> object:
        try:
            value = self.scope[path[0]]
            for segment in path[1:]:
                value = self.get_item(value, segment)
        except (KeyError, TypeError, IndexError):
            return absent(path, token) if default is UNDEFINED else default
        if isinstance(value, str):
            self.spend(len(value) >> 6)
        return value

    def assign(self, key: str, val: Any) -> None:
        """Sizes are kept as a sum: the library adds all of them up again at each assignment."""
        self.size_of_locals += sys.getsizeof(val, 1) - (sys.getsizeof(self.locals[key], 1) if key in self.locals else 0)
        if self.size_of_locals > NAMESPACE:
            raise LocalNamespaceLimitError("Its variables are too large.", token=None)
        self.locals[key] = val

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        function = self.env.filters.get(name)
        if function is None:
            raise UnknownFilterError(f"There is no filter `{name}`.", token=token)
        if getattr(function, "with_context", False):
            self.spend(FORMATTING)
            function = partial(function, context=self)
        elif getattr(function, "with_environment", False):
            function = partial(function, environment=self.env)
        return partial(self._apply, name, function)

    def _apply(self, name: str, function: Callable[..., object], *values: object, **options: object) -> object:
        """Filters see no missing data (`default` does) and nothing over the limits, before and after."""
        cost = 1
        for value in (*values, *options.values()) if options else values:
            if isinstance(value, str):
                cost += len(value) >> 6
            elif isinstance(value, list):
                cost += len(value)
            elif type(value) is Missing and name != "default":
                raise UndefinedError(value.msg, token=value.token)
        self.spend(cost)
        result = function(*values, **options)
        if isinstance(result, str | list) and len(result) > OUTPUT:
            raise OutputStreamLimitError("A filter's result is too large.", token=None)
        return result

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        return Buffer(self, OUTPUT - (buf.size if isinstance(buf, Buffer) else 0))


class StrictOutputNode(OutputNode):
    """`{{ ... }}`: null is missing data, and an object or a list of them has no text."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        try:
            value = self.expression.evaluate(context)
            if type(value) is Missing:
                raise UndefinedError(value.msg, token=value.token)
            if value is None:
                raise UndefinedError(f"`{self.expression}` is null.", token=self.token)
            text = value if isinstance(value, str) else filters.text_of(value)
            return buffer.write(escape(text) if context.autoescape else text)
        except LiquidError as error:
            error.token = error.token or self.token
            raise


class StrictEchoNode(StrictOutputNode, EchoNode):
    __slots__ = ()


class StrictOutput(Output):
    node_class = StrictOutputNode


class StrictEcho(EchoTag):
    node_class = StrictEchoNode


class Liquid(Environment):
    loop_iteration_limit: ClassVar[int | None] = LOOPS
    output_stream_limit: ClassVar[int | None] = OUTPUT
    local_namespace_limit: ClassVar[int | None] = NAMESPACE

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for name in _TAGS:
            del self.tags[name]
        for tag in (StrictOutput, StrictEcho, BoundedForTag, PartialTag):
            self.add_tag(tag)
        filters.register(self.filters)


TEXT = Liquid(undefined=Missing)
HTML = Liquid(undefined=Missing, autoescape=True)


def parse(
    source: str, *, is_html: bool = False, partials: Mapping[str, str] | None = MappingProxyType({})
) -> BoundTemplate:
    """A template ready to run. `partials`: what `{% render %}` finds, by key; None: whatever is named, and nothing of it is shown.
    Raises RenderError with the place in `source`."""
    braces.tags(source, is_html=is_html)
    environment = HTML if is_html else TEXT
    try:
        with finding(partials):
            return environment.from_string(source)
    except LiquidError as error:
        found = _explained(error, source, None)
        raise (found if found.line else _placed(found, source, environment, is_html=is_html)) from error


def _placed(error: RenderError, source: str, environment: Liquid, *, is_html: bool) -> RenderError:
    """The library does not say where an expression ended too early: the tag that says the same by itself."""
    for tag in braces.tags(source, is_html=is_html):
        try:
            with finding(None):
                environment.from_string(source[tag.start : tag.end])
        except LiquidError as alone:
            if str(alone.message) == error.detail:
                line, column = place_of(source, tag.start)
                return RenderError(error.code, error.detail, line=line, column=column, index=tag.start)
    return error


def run(template: BoundTemplate, data: Mapping[str, object]) -> str:
    """What the template says with `data` (plain values only). Raises RenderError with the place in the template's source."""
    said = plain.said(template, data)
    if said is not None:
        return said
    context = Context(template, globals=data)
    buffer = Buffer(context, OUTPUT)
    for node in template.nodes:
        try:
            node.render(context, buffer)
        except LiquidInterrupt as error:
            raise _explained(
                LiquidSyntaxError(f"`{error}` belongs into a loop.", token=node.token), "", node
            ) from error
        except LiquidError as error:
            raise _explained(error, "", node) from error
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            # The engine's own checks of a stranger's values end in these here and there: a fault of the template.
            said = f"This cannot be worked out ({type(error).__name__})."
            raise _explained(LiquidError(said, token=node.token), "", node) from error
    return buffer.getvalue()


def absent(path: list[Any], token: Token | None) -> Missing:
    """`path` as the author writes it: `data.items[0].name`."""
    name = str(path[0]) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path[1:])
    return Missing(name, token=token, hint=f"`{name}` is missing.")


def _explained(error: LiquidError, source: str, node: Node | None) -> RenderError:
    match error:
        case UndefinedError():
            code = Fault.MISSING_DATA
        case ResourceLimitError():
            code = Fault.LIMIT
        case LiquidSyntaxError() | UnknownFilterError():
            code = Fault.SYNTAX
        case _:
            code = Fault.SYNTAX if node is None else Fault.WRONG_VALUE
    said = str(error.message or "This cannot be read.")
    token = error.token if error.token is not None and error.token.start_index >= 0 else node.token if node else None
    if token is None or token.start_index < 0:
        return RenderError(code, said)
    line, column = place_of(token.source or source, token.start_index)
    return RenderError(code, said, line=line, column=column, index=token.start_index)
