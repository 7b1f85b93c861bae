"""What a message consists of on each channel. One table, read by drafts, publishing, rendering and previews."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from apps.core.enums import Channel

MOST_SUBJECT = 255
# FCM and APNs take 4,096 bytes, Web Push 3,993 before encryption; the rest is for our ids, tokens and collapse ids
MOST_PUSH_BYTES = 3_700
MOST_SMS_SEGMENTS = 10

_BREAKS = re.compile(r"[\r\n\t\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
UNREAD = "unread"
_BADGE = re.compile(rf"{UNREAD}|[0-9]{{1,6}}"), "a number, or `unread`"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Field:
    """`most`: characters an author may write; `most_rendered`: characters that leave, cut off there; `form`: what it must look like
    once rendered, and that in words."""

    name: str
    is_required: bool = False
    is_html: bool = False
    is_single_line: bool = False
    is_link: bool = False
    most: int = 10_000
    most_rendered: int | None = None
    form: tuple[re.Pattern[str], str] | None = None


def _fields(*fields: Field) -> Mapping[str, Field]:
    return MappingProxyType({field.name: field for field in fields})


FIELDS: Mapping[Channel, Mapping[str, Field]] = MappingProxyType(
    {
        Channel.PUSH: _fields(
            Field("title", is_required=True, is_single_line=True),
            Field("body", is_required=True),
            Field("action_url", is_single_line=True, is_link=True),
            Field("image_url", is_single_line=True, is_link=True),
            # on a device the newer message takes the place of the older one with the same id
            Field("collapse_id", is_single_line=True, most=500),
            # `unread` is replaced by the person's count of unread in-app messages when it is sent
            Field("badge", is_single_line=True, most=500, form=_BADGE),
        ),
        Channel.EMAIL: _fields(
            Field("subject", is_required=True, is_single_line=True, most_rendered=MOST_SUBJECT),
            Field("preheader", is_single_line=True, most_rendered=MOST_SUBJECT),
            Field("html", is_required=True, is_html=True, most=150_000),
            Field("text", most=150_000),
        ),
        Channel.SMS: _fields(Field("body", is_required=True)),
        Channel.IN_APP: _fields(
            Field("title", is_required=True, is_single_line=True),
            Field("body", is_required=True),
            Field("action_url", is_single_line=True, is_link=True),
            Field("icon", is_single_line=True),
        ),
    }
)

LAYOUT_FIELDS = _fields(Field("html", is_required=True, is_html=True, most=150_000), Field("text", most=150_000))

_PARTIAL_FIELDS = _fields(Field("body", is_required=True))


def fields_of(channel: Channel, *, is_layout: bool = False, is_partial: bool = False) -> Mapping[str, Field]:
    """A layout's are those of email; a partial of another channel has one text for all of its fields."""
    if is_layout or (is_partial and channel is Channel.EMAIL):
        return LAYOUT_FIELDS
    return _PARTIAL_FIELDS if is_partial else FIELDS[channel]


def cleaned(field: Field, text: str) -> str:
    """Without control characters; a single line without breaks, so that no value can add a header to a mail."""
    if field.is_single_line:
        text = single_line(text)
    # most are, and it is found out ten times as fast
    elif not text.replace("\n", "").isprintable():
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if _CONTROLS.search(text):
            text = _CONTROLS.sub("", text)
    if field.most_rendered is not None and len(text) > field.most_rendered:
        text = text[: field.most_rendered - 1].rstrip() + "…"
    return text


def single_line(text: str) -> str:
    """For subjects, titles and sender names."""
    if text.isprintable():
        return text.strip()
    return _CONTROLS.sub("", _BREAKS.sub(" ", text)).strip()


def size_of(content: Mapping[str, str]) -> int:
    """Bytes of UTF-8, all fields together."""
    return sum(len(text) if text.isascii() else len(text.encode()) for text in content.values())
