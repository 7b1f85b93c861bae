"""What callers send to publish, and what they are answered about it."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from apps.core.bodies import Answer, Body
from apps.core.problems import FieldError

Share = Annotated[
    float, Meta(ge=0.01, le=100, description="Percent of the people. The same person always gets the same version.")
]


class PublishBody(Body, frozen=True):
    share: Share = 100.0
    seen: Annotated[
        str, Meta(max_length=40, description="`seen` of the check whose changes were looked at, where there are some.")
    ] = ""


class CheckBody(Body, frozen=True):
    last: Annotated[int, Meta(ge=1, le=500, description="Messages of each locale.")] = 50


class RolloutBody(Body, frozen=True):
    """`raise` takes a `share` above the one of now."""

    action: Literal["raise", "finish", "revert"]
    share: Share | None = None
    because: Annotated[str, Meta(max_length=500)] = ""


class ExampleAnswer(Answer):
    """`kind`: break or change. `diff`: lines that went (`-`) and came (`+`), with addresses and sensitive values masked."""

    kind: str
    what: str
    field: str
    detail: str
    line: int | None
    column: int | None
    diff: list[str]


class VariantCheckAnswer(Answer):
    """`failing`: failed with the version before as well."""

    channel: str
    locale: str
    rendered: int
    broken: int
    failing: int
    changed: int
    same: int
    examples: list[ExampleAnswer]


class LackAnswer(Answer):
    """A variable that the draft needs and that these do not send."""

    variable: str
    users: list[str]


class CheckAnswer(Answer):
    """`seen`: for publishing, once somebody looked at the changes. `messages`: that were tried; `erased`: that could not be."""

    text: str
    breaks: bool
    changes: bool
    seen: str
    version: int
    against: int | None
    messages: int
    erased: int
    is_cut: bool
    errors: list[FieldError]
    results: list[VariantCheckAnswer]
    lacks: list[LackAnswer]


class UseAnswer(Answer):
    """`kind`: event_type, caller, schedule, campaign or template."""

    kind: str
    name: str
    detail: str
    count: int
    last_at: datetime | None


class UsageAnswer(Answer):
    data: list[UseAnswer]


class RepublishedAnswer(Answer):
    """`version`: the new one; null: it stays as it is, and `why`."""

    key: str
    version: int | None
    why: str


class RepublishedList(Answer):
    data: list[RepublishedAnswer]


class SeedListBody(Body, frozen=True):
    user_ids: Annotated[list[Annotated[str, Meta(min_length=1, max_length=128)]], Meta(max_length=50)] = []
    addresses: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=320)]],
        Meta(max_length=50, description="Email addresses and phone numbers of people who have no user_id."),
    ] = []


class SeedListAnswer(Answer):
    name: str
    user_ids: list[str]


class SeedLists(Answer):
    data: list[SeedListAnswer]
