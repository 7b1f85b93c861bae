"""Rules tried while they are typed: how many people, how many of them are reached, and some of them with why. Parts of pages (htmx)."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render

from apps.audience.segment_forms import typed_rules
from apps.audience.segments import fields, reach, stored
from apps.audience.segments.compiling import Condition, compiled, without
from apps.audience.segments.counting import count
from apps.audience.segments.rules import Node, parse
from apps.audience.segments.warnings import attributes_of, warnings_of
from apps.core import clock
from apps.core.enums import Category, Channel
from apps.core.problems import Problem
from apps.core.tenant_scope import view_of

MAY_SEE = ("audience.view_segment", "audience.change_segment", "campaigns.view_campaign", "campaigns.change_campaign")
SEES_PEOPLE = "audience.view_recipient"
REACH_MS = 1_200
NAMES = {Channel.PUSH: "Push", Channel.EMAIL: "Email", Channel.SMS: "SMS", Channel.IN_APP: "In-app"}
_STEPS = (
    ("has_address", "have an address"),
    ("allowed", "allowed by preferences"),
    ("not_suppressed", "not suppressed"),
    ("under_caps", "under frequency caps (estimated)"),
)


def catalogue(tenant_id: UUID, *, but: str = "") -> dict[str, Any]:
    """What the builder offers. `but`: the segment that is being built."""
    rows = [row for row in stored.live(tenant_id) if row.key != but]
    return {
        "fields": [
            {
                "key": one.key,
                "label": one.label,
                "group": one.group,
                "ops": dict(one.ops),
                "paths": list(one.paths),
                "choices": list(one.choices),
            }
            for one in fields.every()
        ],
        "attributes": [{"name": name, "type": kind} for name, kind in attributes_of(tenant_id)],
        "segments": [{"key": row.key, "name": row.name} for row in rows if not row.is_list],
        "lists": [{"key": row.key, "name": row.name} for row in rows if row.is_list],
    }


def count_view(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """The number, what is wrong, and what is probably not meant."""

    def shown(node: Node, condition: Condition) -> dict[str, Any]:
        return {"count": count(tenant_id, condition), "warnings": warnings_of(tenant_id, node)}

    return _tried(request, tenant_id, "admin/segments/count.html", shown)


def reach_view(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """The funnel of each channel, the most frequent zones and languages."""

    def shown(node: Node, condition: Condition) -> dict[str, Any]:
        reacher, question = reach.reacher(), _question(request)
        if reacher is None:
            return {"funnel": None}
        funnel = reacher.funnel(tenant_id, condition, question, within_ms=REACH_MS)
        most = max(1, funnel.matched)
        return {
            "funnel": funnel,
            "channels": [
                (
                    NAMES[one.channel],
                    one.not_suppressed,
                    [(words, number := getattr(one, name), 100 * number / most) for name, words in _STEPS],
                )
                for one in sorted(funnel.channels, key=lambda one: (one.channel is Channel.IN_APP, -one.not_suppressed))
            ],
            "places": [
                (title, [(name or "not known", number, 100 * number / most) for name, number in rows[:6]])
                for title, rows in (("Time zones", funnel.zones), ("Languages", funnel.locales))
            ],
        }

    return _tried(request, tenant_id, "admin/segments/reach.html", shown)


def people_view(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Some of them, each with a sentence for every channel."""
    if not request.user.has_perm(SEES_PEOPLE):
        raise PermissionDenied

    def shown(node: Node, condition: Condition) -> dict[str, Any]:
        reacher = reach.reacher()
        return {"people": reacher.sample(tenant_id, condition, _question(request), most=10) if reacher else ()}

    return _tried(request, tenant_id, "admin/segments/people.html", shown)


def _tried(
    request: HttpRequest, tenant_id: UUID, template: str, shown: Callable[[Node, Condition], dict[str, Any]]
) -> HttpResponse:
    view = view_of(request.user, *MAY_SEE)
    if view is not None and not view.covers(tenant_id):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        now = clock.now()
        node = parse(typed_rules(request.POST.get("rules", "")))
        condition = compiled(tenant_id, node, now)
        if excluded := request.POST.get("exclude", ""):
            condition = without(condition, compiled(tenant_id, parse(typed_rules(excluded)), now))
        context = shown(node, condition)
    except Problem as problem:
        context = {"wrong": [(one.pointer, one.detail) for one in problem.errors] or [("", problem.detail)]}
    except ValueError as error:
        context = {"wrong": [("", str(error))]}
    return render(request, template, context)


def _question(request: HttpRequest) -> reach.Question:
    said = request.POST
    category = said.get("category", "")
    chosen = [channel for channel in Channel if channel.value in said.getlist("channels")]
    return reach.Question(
        channels=tuple(chosen or Channel),
        category=Category(category) if category in set(Category) else Category.MARKETING,
        event_type=said.get("event_type", "")[:100],
        now=clock.now(),
    )
