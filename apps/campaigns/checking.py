"""The checklist before a launch: what would stop it, what deserves a look. Each finding names the tab where it is mended.

`findings` is cheap enough for every page; what counts people (`counted_findings`) comes with the estimate.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from apps.audience.segments import stored
from apps.campaigns import budgeting, money
from apps.campaigns.audience_words import named_in
from apps.campaigns.capacity import Finish
from apps.campaigns.costing import Estimate
from apps.campaigns.models import Policy
from apps.campaigns.schedule_words import rest_words, span
from apps.campaigns.scheduling import FIRST_ZONE, ROUND_WITH_TEST, next_occurrence, plan_of
from apps.campaigns.texts import Texts, texts_of, try_text
from apps.channels import selectors as accounts
from apps.core.enums import Category, Channel, KeyMode
from apps.core.types import Account, Tenant
from apps.schedules.timing import Timing
from apps.templates.linting import Severity

_NAMES: Final = {Channel.PUSH: "push", Channel.EMAIL: "mail", Channel.SMS: "SMS", Channel.IN_APP: "the feed"}
_MOST_OF_A_TEXT: Final = 3
_TIMES_LOOKED_AT: Final = 60
# these say by themselves what they are about, and stop a launch: the law asks for them
_OF_THE_LAW: Final = {"no_unsubscribe_link": "error", "no_stop_words": "warning"}


@dataclass(frozen=True, slots=True)
class Finding:
    """`severity`: error (it cannot be launched), warning or info. `tab`: of the composer."""

    code: str
    severity: str
    text: str
    tab: str

    @property
    def stops(self) -> bool:
        return self.severity == "error"


def findings(tenant: Tenant, row: Any, variants: Iterable[Any], now: datetime) -> list[Finding]:
    """The worst first. A few queries for each variant; no person is counted."""
    rows = list(variants)
    found = [
        *_audience(tenant, row),
        *_content(tenant, row, rows),
        *_trying(row, rows, now),
        *_delivery(tenant, row, now),
        *_accounts(tenant, row),
    ]
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))


def counted_findings(
    row: Any, estimate: Estimate, policy: Policy, now: datetime, finish: Finish | None = None
) -> list[Finding]:
    """Of an estimate: nobody is meant, no price is known, texts that fail, budgets and the time that it takes."""
    found = []
    if estimate.people == 0 and (row.audience or {}).get("include"):
        found.append(Finding("nobody_meant", "warning", "Nobody is in the audience now.", "audience"))
    for channel in estimate.unpriced:
        said = f"Not every price of {channel} is known in {estimate.currency}: the cost below is too low."
        found.append(Finding("no_price", "warning", said, "review"))
    if estimate.parts.failed:
        share = f"{estimate.parts.failed} of {estimate.parts.sampled}"
        said = f"{share} sampled people would get no SMS: the text fails with their data."
        found.append(Finding("text_fails", "warning", said, "content"))
    found += over_budget(row, estimate, policy, now)
    if finish is not None and finish.warning:
        found.append(Finding("expires_too_soon", "warning", finish.warning, "delivery"))
    return found


def over_budget(row: Any, estimate: Estimate, policy: Policy, now: datetime) -> list[Finding]:
    """An error where even the least that it can cost is more than is left, if the policy refuses that; else a warning: it stops there."""
    limits = budgeting.limits_of(policy=policy, campaign=row, channels=list(row.channels), now=now)
    spent, costs, found = budgeting.spent(row.tenant_id, limits), estimate.by_channel, []
    for limit in limits:
        low, high = costs.get(limit.channel, (0, 0)) if limit.channel else (estimate.low, estimate.high)
        left = max(0, limit.micros - spent[limit])
        if high <= left:
            continue
        what = f"for {limit.channel} today" if limit.channel else "of the campaign"
        said = (
            f"It costs {money.span(low, high, policy.currency)}, and {money.words(left, policy.currency)} are left"
            f" in the budget {what}: it stops there, and the rest is withheld."
        )
        is_error = low > left and policy.refuses_over_budget
        found.append(Finding("over_budget", "error" if is_error else "warning", said, "review"))
    return found


_ORDER = ("error", "warning", "info")


def _audience(tenant: Tenant, row: Any) -> Iterator[Finding]:
    audience = row.audience or {}
    if not audience.get("include"):
        yield Finding("no_audience", "error", "Nobody was chosen yet.", "audience")
        return
    named = named_in(audience)
    known = stored.by_names(tenant.id, named) if named else {}
    for name in sorted(named - known.keys()):
        yield Finding("segment_gone", "error", f"There is no segment or list `{name}` any more.", "audience")


def _content(tenant: Tenant, row: Any, variants: Sequence[Any]) -> Iterator[Finding]:
    if not row.channels:
        yield Finding("no_channel", "error", "No channel was chosen.", "content")
    if not variants:
        yield Finding("no_variant", "error", "There is nothing to say yet.", "content")
    texts = texts_of(tenant, variants)
    for variant in variants:
        said = texts.get(variant.position)
        if not variant.template_key:
            yield Finding("no_template", "error", f"Variant {variant.name} has no content.", "content")
        elif said is None or said.number is None:
            detail = f"The template of variant {variant.name}, `{variant.template_key}`, is not published."
            yield Finding("not_published", "error", detail, "content")
        else:
            yield from _text(tenant, row, said)
    if len(texts) > 1:
        yield from _uneven(texts.values(), row.channels)


def _text(tenant: Tenant, row: Any, texts: Texts) -> Iterator[Finding]:
    category = Category(row.category)
    for name in row.channels:
        locales = texts.locales(name)
        if not locales:
            said = f"Variant {texts.name} has no content for {_NAMES[Channel(name)]}."
            yield Finding("no_content_for_channel", "error", said, "content")
        for locale in locales:
            source = texts.source(name, locale)
            assert source is not None
            trial = try_text(tenant, texts, source, category=category, data=row.data or {})
            where = f"Variant {texts.name}, {_NAMES[Channel(name)]}{f' in {locale}' if locale else ''}"
            yield from _linted(where, trial.findings)
    if texts.has_newer_draft:
        said = f"Variant {texts.name} has a draft that is newer than what is sent."
        yield Finding("newer_draft", "warning", said, "content")


def _linted(where: str, remarks: Iterable[Any]) -> Iterator[Finding]:
    serious = [one for one in remarks if one.severity is not Severity.INFO]
    for one in [one for one in serious if one.code in _OF_THE_LAW]:
        yield Finding(one.code, _OF_THE_LAW[one.code], f"{where}: {one.text}", "content")
    rest = [one for one in serious if one.code not in _OF_THE_LAW]
    for one in rest[:_MOST_OF_A_TEXT]:
        # a template that is published may be sent: what its editor remarks does not stop it
        yield Finding(one.code, "warning", f"{where}: {one.text}", "content")
    if len(rest) > _MOST_OF_A_TEXT:
        said = f"{where}: {len(rest) - _MOST_OF_A_TEXT} more remarks stand in the template's editor."
        yield Finding("more_remarks", "info", said, "content")


def _uneven(texts: Iterable[Texts], channels: Iterable[str]) -> Iterator[Finding]:
    """A language that one variant speaks and another does not makes the test compare languages."""
    found = list(texts)
    for channel in channels:
        spoken = {one.name: set(one.locales(channel)) for one in found}
        everything = set().union(*spoken.values())
        for name, locales in spoken.items():
            if lacks := sorted(locale for locale in everything - locales if locale):
                said = (
                    f"Variant {name} is not written in {', '.join(lacks)} for {_NAMES[Channel(channel)]}, others are."
                )
                yield Finding("locale_gap", "warning", said, "content")


def _trying(row: Any, variants: Sequence[Any], now: datetime) -> Iterator[Finding]:
    """What a test on a part of the people means for the rest of the campaign."""
    if not row.test:
        return
    if len(variants) < 2:
        yield Finding("test_of_one", "error", "There is nothing to compare: a test needs two variants.", "test")
    plan = plan_of(row.schedule or {})
    if plan.timing is not None and plan.is_local:
        said = f"Everybody who tries the variants gets them at the time on their own clock; the others {rest_words(plan.timing.start)}."
        yield Finding("rest_on_own_clocks", "info", said, "test")
        yield from _too_often(plan.timing, timedelta(minutes=row.test["wait_minutes"]), now)
    if row.ramp:
        yield Finding(
            "ramp_unused", "warning", "The ramp is not used: the part that is tried on is the first step.", "test"
        )


def _too_often(timing: Timing, waiting: timedelta, now: datetime) -> Iterator[Finding]:
    """A run begins when the one before it is over: late, and then at another time than that on people's clocks."""
    times = timing.next_fires(now, FIRST_ZONE, _TIMES_LOOKED_AT)
    least = min((later.at - early.at for early, later in pairwise(times)), default=None)
    lasting = waiting + ROUND_WITH_TEST
    if least is not None and least < lasting:
        said = (
            f"With a test on everybody's own clock one time takes up to {span(lasting)}, and the next comes {span(least)} later:"
            " choose one clock, fewer times, or give each variant its share."
        )
        yield Finding("test_outlasts_interval", "error", said, "test")


def _delivery(tenant: Tenant, row: Any, now: datetime) -> Iterator[Finding]:
    plan = plan_of(row.schedule or {})
    upcoming = next_occurrence(plan, now)
    if upcoming is None:
        yield Finding("time_is_over", "error", "Its time is over.", "delivery")
    elif plan.is_local and upcoming.at - now < timedelta(hours=24):
        said = (
            "It begins in less than 24 hours: where the time is over already, people get it as its rule for them says."
        )
        yield Finding("zones_past", "info", said, "delivery")
    if row.category == Category.MARKETING and row.expires_after is None:
        said = "It never expires: what waits for quiet hours or a provider may arrive when the offer is over."
        yield Finding("no_expiry", "info", said, "delivery")
    if row.category == Category.MARKETING:
        said = "Marketing goes to whom your defaults and their own choices allow: see “allowed by preferences” in the audience."
        yield Finding("consent_basis", "info", said, "audience")
    if row.category in (Category.TRANSACTIONAL, Category.CRITICAL):
        said = f"A campaign as {row.category} ignores that people switched promotions off: is it none?"
        yield Finding("not_marketing", "warning", said, "content")


def _accounts(tenant: Tenant, row: Any) -> Iterator[Finding]:
    mode = KeyMode(row.mode)
    for name in row.channels:
        channel = Channel(name)
        if channel is Channel.IN_APP:
            continue
        found = accounts.accounts_for(tenant.id, mode, channel)
        if not found:
            said = f"No provider account is switched on for {_NAMES[channel]}."
            yield Finding("no_account", "error", said, "review")
        elif channel is Channel.EMAIL and mode is not KeyMode.TEST and not _has_sender(tenant, found):
            yield Finding("no_sender", "error", "No address to send mail from is set.", "review")
    if mode is KeyMode.TEST:
        yield Finding("test_mode", "info", "It reaches the sandbox only: nobody gets it.", "review")


def _has_sender(tenant: Tenant, found: Sequence[Account]) -> bool:
    return bool(tenant.email_from) or all(account.sender for account in found)


def errors_of(found: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.stops]
