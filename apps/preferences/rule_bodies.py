"""The bodies and answers about default quiet hours and frequency caps."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from apps.core.bodies import Answer, Body
from apps.core.enums import CapPeriod, Category, Channel
from apps.preferences.bodies import ClockTime
from apps.preferences.serializers import Topic
from apps.preferences.tenant_rules import LEAST_WINDOW, LONGEST_WINDOW

MOST_MESSAGES = 10_000
Country = Annotated[
    str, Meta(pattern="^([A-Z]{2})?$", description="ISO 3166-1; empty: wherever a person is.", examples=["US"])
]
CountedChannel = Annotated[
    Literal["push", "email", "sms", "in_app", "*"], Meta(description="`*`: push, email and SMS together.")
]


class QuietHoursRuleBody(Body, frozen=True):
    """Over midnight when `end` comes first; `end` is open. Empty `channels`: push, email and SMS; empty `categories`: all. Critical
    messages are never held. `locked`: binds also people who chose quiet hours of their own."""

    start: ClockTime
    end: ClockTime
    country: Country = ""
    channels: Annotated[list[Channel], Meta(max_length=4)] = []
    categories: Annotated[list[Category], Meta(max_length=4)] = []
    locked: bool = False


class QuietHoursRuleAnswer(Answer):
    name: str
    start: str
    end: str
    country: str
    channels: list[Channel]
    categories: list[Category]
    locked: bool
    created_at: datetime
    updated_at: datetime


class QuietHoursRulesAnswer(Answer):
    """By name."""

    data: list[QuietHoursRuleAnswer]


class FrequencyCapBody(Body, frozen=True):
    """`window_seconds`: how long a rolling period is, and of no other. Days and weeks (from Monday) are the recipient's own."""

    limit: Annotated[int, Meta(ge=1, le=MOST_MESSAGES, description="Messages to one person.", examples=[5])]
    period: CapPeriod
    window_seconds: Annotated[int, Meta(ge=LEAST_WINDOW, le=LONGEST_WINDOW, examples=[3600])] | None = None
    topic: Topic = "*"
    channel: CountedChannel = "*"


class FrequencyCapAnswer(Answer):
    name: str
    limit: int
    period: CapPeriod
    window_seconds: int | None
    topic: str
    channel: str
    created_at: datetime
    updated_at: datetime


class FrequencyCapsAnswer(Answer):
    """By name."""

    data: list[FrequencyCapAnswer]
