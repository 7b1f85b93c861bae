"""The parts of the composer that take a moment: they arrive after the page, and again whenever what they count was changed."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern

from apps.audience import selectors as audience
from apps.audience.segment_views import catalogue
from apps.audience.segments.reach import Funnel
from apps.campaigns import people, schedule_words, texts
from apps.campaigns.admin.composer import Composer
from apps.campaigns.admin.reviewing import offered_tests
from apps.campaigns.briefs import Brief, keep_brief, kept_brief
from apps.campaigns.funnel import funnel
from apps.campaigns.models import Variant
from apps.campaigns.sampling import sample
from apps.core import clock
from apps.core.admin_mail import framed
from apps.core.enums import Category, Channel, KeyMode
from apps.core.pagination import PageRequest
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.events import selectors as events
from apps.templates import selectors as templates
from apps.templates import sms
from apps.templates.coverage import fallbacks
from apps.tenants.selectors import tenant_by_id

MOST_TEMPLATES = 500
SEES_PEOPLE = "audience.view_recipient"
STEPS = (
    ("has_address", "have an address"),
    ("allowed", "allowed by preferences"),
    ("not_suppressed", "after suppression"),
    ("under_caps", "after frequency caps (about)"),
)


class Parts:
    """For the ModelAdmin of campaigns."""

    def part_urls(self) -> list[URLPattern]:
        return self.urls_of(  # type: ignore[attr-defined, no-any-return]
            ("reach", self.reach_view),
            ("people", self.people_view),
            ("waves", self.waves_view),
            ("preview", self.preview_view),
            ("fallbacks", self.fallbacks_view),
        )

    def tab_context(self, request: HttpRequest, composer: Composer) -> dict[str, Any]:
        """What a tab shows beside its form."""
        tenant = composer.tenant
        match composer.tab.name:
            case "content":
                rows = templates.templates(tenant, PageRequest(MOST_TEMPLATES, None))
                return {
                    "template_choices": [one for one in rows if _is_for_all(one)],
                    "event_types": [one.key for one in events.event_type_page(tenant.id, 200, None)],
                    "cards": content_cards(composer),
                }
            case "audience":
                return {"rules_data": _rules(composer), "catalogue": catalogue(tenant.id)}
            case "test":
                return {
                    **offered_tests(tenant),
                    "weights": [composer.form[f"w{place}"] for place in range(len(composer.variants))],
                }
        return {}

    def reach_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """The funnel; `brief`: two numbers of it, for the summary, not older than a minute."""
        row, is_brief = self._row(request, object_id), "brief" in request.GET
        brief, found, wrong = kept_brief(row) if is_brief else None, None, ""
        if brief is None:
            found, wrong = reach_of(row)
        if found is not None:
            brief = Brief(found.matched, found.reached, found.is_exact)
            keep_brief(row, brief)
        context: dict[str, Any] = {"brief": brief, "is_brief": is_brief, "wrong": wrong, "campaign": row}
        if brief is not None:
            context["lasting"] = schedule_words.lasting(brief.reached or brief.matched, row.throttle)
        if found is not None:
            whole = max(found.matched, 1)
            context["funnel"] = found
            context["bars"] = [
                (one.channel.value.replace("_", "-"), [_step(one, name, said, whole) for name, said in STEPS])
                for one in found.channels
            ]
        return self._answer(request, "admin/campaigns/compose_reach.html", context)

    def people_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        row = self._row(request, object_id)
        now, shown, wrong = clock.now(), (), ""
        may_see = request.user.has_perm(SEES_PEOPLE)
        try:
            condition = people.condition_of_audience(row.tenant_id, row.audience or {}, now)
            if condition is not None and may_see:
                shown = sample(  # type: ignore[assignment]
                    row.tenant_id, condition, **_message(row), now=now, mode=KeyMode(row.mode)
                )
        except Problem as problem:
            wrong = problem.detail
        context = {"people": shown, "wrong": wrong, "campaign": row, "may_see": may_see}
        return self._answer(request, "admin/campaigns/compose_people.html", context)

    def waves_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        row, now = self._row(request, object_id), clock.now()
        context: dict[str, Any] = {"campaign": row, "table": None, "wrong": ""}
        if schedule_words.is_on_every_clock(row.schedule or {}):
            try:
                condition = people.condition_of_audience(row.tenant_id, row.audience or {}, now)
                zones = people.zones(row.tenant_id, condition) if condition is not None else {}
            except Problem as problem:
                zones, context["wrong"] = {}, problem.detail
            if zones is None:
                context["wrong"] = "Counting everybody's clocks took too long. They are counted when it is launched."
            else:
                tenant = _tenant(row)
                context["table"] = schedule_words.wave_table(row.schedule, zones, tenant.timezone, now, row.test)
                context["default_zone"] = tenant.timezone
        context["coming"] = schedule_words.coming(row.schedule or {}, now)
        context["recurs"] = _recurs(row)
        context["ramp"] = schedule_words.ramp_words(row.ramp, row.ramp_minutes)
        return self._answer(request, "admin/campaigns/compose_waves.html", context)

    def preview_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """One variant on one channel in one locale, with what is wrong with it."""
        row, asked = self._row(request, object_id), request.GET
        tenant = _tenant(row)
        variants = list(Variant.objects.of(row.tenant_id).filter(campaign_id=row.id).order_by("position"))
        found = texts.texts_of(tenant, variants).get(_number(asked.get("variant", "0")))
        context: dict[str, Any] = {"campaign": row, "texts": found, "variant": _number(asked.get("variant", "0"))}
        if found is not None:
            may_see = request.user.has_perm(SEES_PEOPLE)
            context |= _preview(tenant, row, found, asked, asked.get("person", "").strip() if may_see else "")
            context["may_see"] = may_see
        return self._answer(request, "admin/campaigns/compose_preview.html", context)

    def fallbacks_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        row, now = self._row(request, object_id), clock.now()
        tenant = _tenant(row)
        variants = Variant.objects.of(row.tenant_id).filter(campaign_id=row.id).order_by("position")
        found = texts.texts_of(tenant, variants)
        context: dict[str, Any] = {"campaign": row, "lacking": [], "languages": [], "wrong": "", "is_known": False}
        try:
            condition = people.condition_of_audience(row.tenant_id, row.audience or {}, now)
        except Problem as problem:
            condition, context["wrong"] = None, problem.detail
        if condition is not None and found:
            named = {one.name: one.default for one in texts.stand_ins(found.values())}
            counts = people.lacking(row.tenant_id, condition, named, now)
            context["lacking"] = [(name, counts[name], named[name]) for name in named if name in counts]
            context["languages"] = _languages(tenant, row, condition, found)
            context["is_known"] = True
        return self._answer(request, "admin/campaigns/compose_fallbacks.html", context)

    def _answer(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        """A part; or a page of its own for those without scripts."""
        base = "admin/campaigns/compose_part.html"
        if request.headers.get("HX-Request") != "true":
            site = self.admin_site.each_context(request)  # type: ignore[attr-defined]
            context = {**site, "title": context["campaign"].name, "opts": self.opts, **context}  # type: ignore[attr-defined]
            base = "admin/campaigns/compose_alone.html"
        return TemplateResponse(request, template, {**context, "base": base})

    def _row(self, request: HttpRequest, object_id: UUID) -> Any:
        return self.seen(request, object_id)  # type: ignore[attr-defined]


def reach_of(row: Any) -> tuple[Funnel | None, str]:
    """None: nobody was chosen, or what was named is gone: then why."""
    now = clock.now()
    try:
        condition = people.condition_of_audience(row.tenant_id, row.audience or {}, now)
    except Problem as problem:
        return None, problem.detail
    if condition is None:
        return None, ""
    return funnel(row.tenant_id, condition, **_message(row), now=now), ""


def content_cards(composer: Composer) -> list[dict[str, Any]]:
    """For each variant: its fields, and what its template has."""
    found = texts.texts_of(composer.tenant, composer.variants)
    return [
        {
            "variant": variant,
            "place": place,
            "fields": [composer.form[f"v{place}-{name}"] for name in ("name", "template")],
            "texts": found.get(variant.position),
            "missing": _missing(found.get(variant.position), composer.row.channels),
            "tabs": _tabs(found.get(variant.position), composer.row.channels),
        }
        for place, variant in enumerate(composer.variants)
    ]


def _rules(composer: Composer) -> Any:
    """What the builder begins with: who chooses rules begins with what was chosen before."""
    return (composer.row.audience or {}).get("include") or {"everyone": True}


def _is_for_all(row: templates.TemplateRow) -> bool:
    """Not a part of templates, and not another campaign's own."""
    return not (row.is_layout or row.is_partial or row.key.startswith("campaign-"))


def _tabs(found: texts.Texts | None, channels: list[str]) -> list[tuple[str, str]]:
    if found is None:
        return []
    return [(channel, locale) for channel in channels for locale in found.locales(channel)]


def _missing(found: texts.Texts | None, channels: list[str]) -> list[str]:
    return [channel.replace("_", "-") for channel in channels if found is not None and not found.locales(channel)]


def _preview(tenant: Tenant, row: Any, found: texts.Texts, asked: Mapping[str, Any], user_id: str) -> dict[str, Any]:
    tabs = _tabs(found, list(row.channels)) or [(one.channel, one.locale) for one in found.sources]
    wanted = asked.get("channel", ""), asked.get("locale", "")
    chosen = wanted if wanted in tabs else (tabs[0] if tabs else None)
    source = found.source(*chosen) if chosen else None
    if source is None:
        return {"tabs": []}
    person = None
    if user_id and "\x00" not in user_id:
        ids = audience.recipient_ids(tenant.id, [user_id])
        person = audience.recipients(ids.values()).get(ids[user_id]) if ids else None
    trial = texts.try_text(tenant, found, source, category=Category(row.category), data=row.data or {}, person=person)
    content = trial.rendered.content if trial.rendered else {}
    channel = Channel(source.channel)
    return {
        "tabs": tabs,
        "chosen": chosen,
        "person": user_id,
        "is_unknown": bool(user_id) and person is None,
        "rendered": trial.rendered,
        "findings": trial.findings,
        "channel": channel,
        "subject": content.get("subject") or content.get("title", ""),
        "preheader": content.get("preheader", ""),
        "body": content.get("body") or content.get("text", ""),
        "html": framed(content["html"]) if content.get("html") else "",
        "sms": sms.count(content["body"]) if channel is Channel.SMS and content.get("body") else None,
    }


def _languages(tenant: Tenant, row: Any, condition: Any, found: Mapping[int, texts.Texts]) -> list[tuple[str, str]]:
    spoken = people.locales(row.tenant_id, condition)
    if spoken is None:
        return []
    said = []
    for one in found.values():
        for channel in row.channels:
            if known := one.locales(channel):
                lines = fallbacks(known, spoken, tenant.locale)
                said += [(f"{one.name}, {channel.replace('_', '-')}", line.text) for line in lines]
    return said


def _message(row: Any) -> dict[str, Any]:
    """What decides who may get it."""
    return {
        "channels": [Channel(name) for name in row.channels],
        "category": Category(row.category),
        "event_type": row.event_type,
    }


def _step(one: Any, name: str, said: str, whole: int) -> dict[str, Any]:
    number = getattr(one, name)
    return {"said": said, "number": number, "percent": round(100 * number / whole, 1)}


def _recurs(row: Any) -> bool:
    return bool((row.schedule or {}).get("kind") == "recurring")


def _tenant(row: Any) -> Tenant:
    found = tenant_by_id(row.tenant_id)
    assert found is not None
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
