"""Words that several bodies share, and the bodies and answers about suppressions."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from apps.core.bodies import Answer, Body
from apps.core.enums import SuppressionReason

Topic = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description="An event type, a pattern, `category:<name>` or `*`. The most exact one decides.",
        examples=["order.shipped", "order.*", "category:marketing", "*"],
    ),
]
ChannelOrAny = Annotated[
    Literal["push", "email", "sms", "in_app", "*"], Meta(description="`*`: every channel that has none of its own.")
]
SuppressibleChannel = Annotated[Literal["push", "email", "sms"], Meta(examples=["email"])]
AddressText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        description="An email address, a phone number in E.164, a device token, or the endpoint URL of a web-push subscription.",
        examples=["bea@example.com"],
    ),
]


class SuppressionBody(Body, frozen=True):
    channel: SuppressibleChannel
    address: AddressText
    reason: Literal["manual"] = "manual"


class LiftBody(Body, frozen=True):
    channel: SuppressibleChannel
    address: AddressText


class SuppressionAnswer(Answer):
    """`address`: masked; the address itself is not stored. `source`: who reported it."""

    channel: str
    address: str
    reason: SuppressionReason
    source: str
    created_at: datetime


class SuppressionPage(Answer):
    """The latest first."""

    data: list[SuppressionAnswer]
    has_more: bool
    next_cursor: str | None
