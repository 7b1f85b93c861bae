"""How channels, statuses and moments of the ledger look: data for the templates, and nothing else."""

from collections.abc import Mapping

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core.admin_bases import TONES
from apps.core.enums import Channel, Reason
from apps.ledger.timeline import NAMES

ICONS: Mapping[str, str] = {
    Channel.PUSH: "smartphone",
    Channel.EMAIL: "mail",
    Channel.SMS: "sms",
    Channel.IN_APP: "inbox",
    "": "notifications",
}
_ORDER = [channel.value for channel in Channel]
_LINE_TONES: Mapping[str, str] = {
    **TONES,
    "accepted": "",
    "expired": "danger",
    "rejected": "danger",
    "invalid_address": "danger",
    "misconfigured": "danger",
    "opted_out": "danger",
    "ambiguous": "warning",
    "provider_down": "warning",
    "retry_planned": "warning",
    "doubt_planned": "warning",
    "fallback_planned": "warning",
    "summary_planned": "warning",
    "resent": "warning",
    "missing": "warning",
    "left_in_doubt": "warning",
    "fell_back": "warning",
    "found": "success",
    "soft_bounced": "warning",
    "seen": "success",
    "archived": "success",
}


def icon(channel: str | None) -> str:
    return ICONS.get(channel or "", "notifications")


def place(channel: str) -> int:
    """In which order channels are always shown."""
    return _ORDER.index(channel)


def chip(channel: str, status: str) -> SafeString:
    """A channel's icon in the tone of its status; both in words for whoever cannot see them."""
    said = f"{channel_name(channel)} {status}"
    return format_html(
        '<span class="n-chip is-{}" title="{}"><span class="material-symbols-outlined" aria-hidden="true">{}</span>'
        '<span class="n-unseen">{}</span></span>',
        *(TONES.get(status, ""), said, icon(channel), said),
    )


def line_tone(kind: str) -> str:
    return _LINE_TONES.get(kind, "")


def channel_name(channel: str) -> str:
    return NAMES[Channel(channel)]


def words(reason: str) -> str:
    """The sentence of a reason; an unknown one as it is."""
    return Reason(reason).sentence if reason in set(Reason) else reason


def delta(seconds: float) -> str:
    """Since acceptance: `+12 ms`, `+3.1 s`, `+4 min 10 s`, `+2 h 5 min`, `+3 d 1 h`."""
    if seconds < 1:
        return f"+{max(0, seconds) * 1000:.0f} ms"
    if seconds < 60:
        return f"+{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"+{whole // size} {unit}" + (f" {rest} {name}" if rest else "")
    raise AssertionError("a minute or more was left")
