"""What callers send to have a message linted, and the remarks they are answered."""

from typing import Annotated

from msgspec import Meta

from apps.core.bodies import Answer, Body
from apps.core.enums import Category, Channel
from apps.templates.bodies import Content, Data, Locale


class LintBody(Body, frozen=True):
    """With `content` (and its `channel`) just that; without it the draft, or else what is sent, in every channel and locale."""

    channel: Channel | None = None
    locale: Annotated[
        Locale | None, Meta(description="Of the content; without content, the one variant to look at.")
    ] = None
    content: Content | None = None
    category: Annotated[
        Category | None,
        Meta(description="Of what is sent with it. By default that of its event types: marketing, if one is."),
    ] = None
    data: Annotated[Data | None, Meta(description="By default the sample of the draft.")] = None


class RemarkAnswer(Answer):
    """`line` and `column` from 1, in `field` as it is written. Where `found` stands there, `replacement` may stand instead."""

    channel: str
    locale: str
    field: str
    code: str
    severity: str
    text: str
    line: int | None
    column: int | None
    found: str
    replacement: str | None


class LintAnswer(Answer):
    """`is_ok`: no remark is an error. `is_cut`: time was up before all variants were looked at."""

    is_ok: bool
    is_cut: bool
    findings: list[RemarkAnswer]
