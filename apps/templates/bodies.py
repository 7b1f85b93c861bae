"""What callers send about templates, and what they are answered."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from apps.core.bodies import Answer, Body
from apps.core.enums import Channel

Key = Annotated[str, Meta(max_length=100)]
Locale = Annotated[str, Meta(max_length=35, examples=["de-CH"])]
Data = dict[str, Any]
Content = Annotated[
    dict[str, str],
    Meta(
        description="By field. push: title, body, action_url, image_url, collapse_id (takes the place of the message before with the"
        " same one), badge (a number, or `unread`). email: subject, preheader, html (HTML or MJML), text (made from html when left"
        " out). sms: body. in_app: title, body, action_url, icon. Each is Liquid.",
        examples=[{"body": "Order {{ data.order_id }} is on its way."}],
    ),
]


class VariantBody(Body, frozen=True):
    """The content of one channel in one locale; `""` is for everyone whose locale has none."""

    channel: Channel
    content: Content
    locale: Locale = ""


class TemplateBody(Body, frozen=True):
    """The whole draft: what is left out is gone from it."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    variants: Annotated[list[VariantBody], Meta(max_length=200)]
    is_layout: Annotated[bool, Meta(description="Its email html has `{{ content }}`; other templates wear it.")] = False
    is_partial: Annotated[bool, Meta(description="Other templates put it in: `{% render 'key', name: value %}`.")] = (
        False
    )
    layout: Annotated[Key, Meta(description="The key of the layout that the email wears.")] = ""
    sample: Annotated[
        Data,
        Meta(
            description="The `data` it is proven with when it is published. "
            "`$recipient`: attributes of the sample person; `$digest`: what a summary tells; `$given`: what a partial is given.",
            examples=[{"order_id": "A-1029", "$recipient": {"first_name": "Rosa"}}],
        ),
    ] = {}


class RollbackBody(Body, frozen=True):
    version: Annotated[int, Meta(ge=1, description="The number of a published version.")]


class PreviewBody(Body, frozen=True):
    """Without `version` it is the draft, or else the current version. Without `data` it is the sample."""

    channel: Channel
    locale: Annotated[Locale, Meta(description="Of the reader; the nearest variant is shown.")] = ""
    version: Annotated[int, Meta(ge=1)] | None = None
    data: Data | None = None
    recipient: Annotated[Data | None, Meta(description="Attributes of the reader, `timezone` too.")] = None


class VariantAnswer(Answer):
    channel: str
    locale: str
    content: dict[str, str]


class VersionSummary(Answer):
    id: str
    number: int
    layout: str
    is_current: bool
    published_at: datetime | None
    published_by: str
    created_at: datetime


class VersionAnswer(VersionSummary):
    sample: Data
    variants: list[VariantAnswer]


class VersionPage(Answer):
    data: list[VersionSummary]
    has_more: bool
    next_cursor: str | None


class TemplateSummary(Answer):
    """`version`: the number of the current version; null until something is published."""

    id: str
    key: str
    name: str
    is_layout: bool
    is_partial: bool
    version: int | None
    created_at: datetime
    updated_at: datetime


class StepAnswer(Answer):
    """`action`: published, rolled_back, staged, raised, finished or reverted. `share`: percent of the people who get it from then on."""

    version: int
    action: str
    by: str
    at: datetime
    share: float
    because: str


class RolloutAnswer(Answer):
    """`share` percent of the people get `version`, the others `against`. Counts are of settled messages, a minute old or more."""

    version: int
    against: int
    share: float
    by: str
    since: datetime
    sends: int
    errors: int
    sends_against: int
    errors_against: int


class TemplateAnswer(TemplateSummary):
    """`steps`: which version became current when, the newest 20 first."""

    published: VersionAnswer | None
    draft: VersionAnswer | None
    steps: list[StepAnswer]
    rollout: RolloutAnswer | None


class TemplatePage(Answer):
    data: list[TemplateSummary]
    has_more: bool
    next_cursor: str | None


class SmsAnswer(Answer):
    """`outside_gsm7`: the characters that make it UCS-2, where a segment holds 70 or 67 instead of 160 or 153."""

    encoding: str
    segments: int
    outside_gsm7: str


class PreviewAnswer(Answer):
    """`locale`: of the variant that was found. `size`: bytes."""

    channel: str
    locale: str
    version: int
    content: dict[str, str]
    size: int
    sms: SmsAnswer | None
