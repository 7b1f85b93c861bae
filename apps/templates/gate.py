"""The publish gate: the draft renders what was really sent lately, in every channel and locale, before anybody gets it.

What breaks stands in the way. What only changes is shown, and somebody says that they have seen it: `publish_checked(seen=check.seen)`.
Bounded in time and number; one message at a time is in memory, and nothing of it is kept but a few masked examples.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any

from apps.core.enums import Channel
from apps.core.locales import canonical_locale
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.core.types import Rendered, Tenant
from apps.templates import models, publishing
from apps.templates.checking import Check, Example, Lack, VariantCheck
from apps.templates.comparing import difference, masked, secrets_of
from apps.templates.faults import Fault, RenderError
from apps.templates.parsed import Content, Version, versions
from apps.templates.payloads import Payload, payloads_of
from apps.templates.rendering import EXAMPLE_LINKS, context_of, locale_chain, render

LAST = 50
MOST = 2_000
SECONDS = 5.0
# in a row that readers of a locale sent who were heard already: what is left is more of the same
_MOST_REPEATED = 2_000
_MISSING = re.compile(r"`([^`]+)` is (?:missing|null)\.$")


def check(*, tenant: Tenant, key: str, last: int = LAST, seconds: float = SECONDS) -> Check:
    """The draft with the `last` real messages of each locale. Nothing is stored or sent.

    Raises Problem: not_found, nothing_to_publish, template_invalid (a layout that is not published).
    """
    rows = models.Template.objects.of(tenant).filter(key=key)
    template = rows.select_related("current").first() if key.isprintable() else None
    if template is None:
        raise Problem(Code.NOT_FOUND, f"There is no template `{key}`.")
    draft = publishing.draft_of(tenant, template)
    proof, layout = publishing.proven(tenant, template, draft)
    current = versions([template.current_id]).get(template.current_id) if template.current_id else None
    number = template.current.number if template.current else None
    if proof.errors or template.is_layout or template.is_partial:
        return Check(draft.id, draft.number, number, 0, 0, False, 0.0, proof.errors, (), ())
    sources = models.TemplateVariant.objects.of(tenant).filter(version=draft).order_by("id")
    named = sources.values_list("channel", "locale")
    compiled = [(channel, locale, made) for (channel, locale), made in zip(named, proof.compiled, strict=True)]
    trial = _Trial(tenant, Content(Version(draft.id, draft.number, compiled), layout), current, draft.sample)
    trial.run(payloads_of(tenant, key), last=last, until=monotonic() + seconds)
    return trial.result(number)


def publish_checked(*, tenant: Tenant, key: str, by: str, share: float = 100.0, seen: str = "") -> int:
    """Publishes what the gate lets pass; its number. `seen`: of the check whose changes somebody looked at.

    Raises Problem: as publishing.publish; gate_breaks with each break; changes_not_seen.
    """
    publishing.parts_of(share)
    found = check(tenant=tenant, key=key)
    if not found.errors and found.has_breaks:
        raise Problem(Code.GATE_BREAKS, found.text, errors=list(_breaks(found)))
    if found.has_changes and seen != found.seen:
        raise Problem(Code.CHANGES_NOT_SEEN, found.text, pointer="/seen")
    return publishing.publish(tenant=tenant, key=key, by=by, share=share, candidate=found.candidate)


def _breaks(found: Check) -> Iterator[FieldError]:
    for result in found.results:
        for one in result.examples:
            if one.kind == "break":
                said = f"{one.what}, {result.channel} {result.locale}: {one.detail}"
                pointer = f"/{result.channel}/{result.locale}/{one.field}".rstrip("/")
                yield FieldError(pointer, Code.GATE_BREAKS, said, one.line, one.column)


class _Trial:
    def __init__(self, tenant: Tenant, candidate: Content, current: Content | None, sample: Mapping[str, Any]) -> None:
        self.tenant, self.candidate, self.current, self.sample = tenant, candidate, current, sample
        self.channels = [c for c in Channel if c in candidate.channels or (current and c in current.channels)]
        self.results: dict[tuple[Channel, str], VariantCheck] = {}
        self.lacking: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.payloads = self.erased = 0
        self.is_cut = False
        self.seconds = 0.0

    def run(self, sources: Iterator[Iterator[Payload]], *, last: int, until: float) -> None:
        began = monotonic()
        for payloads in sources:
            if not self.is_cut:
                self._hear(payloads, last, until)
        self.seconds = monotonic() - began

    def _hear(self, payloads: Iterator[Payload], last: int, until: float) -> None:
        heard: Counter[str] = Counter()
        repeated = 0
        for payload in payloads:
            locale = canonical_locale(payload.recipient.locale or self.tenant.locale) or self.tenant.locale
            repeated = repeated + 1 if heard[locale] >= last else 0
            if repeated > _MOST_REPEATED:
                return
            if not repeated:
                heard[locale] += 1
                self._try(payload, locale)
            if monotonic() > until or self.payloads >= MOST:
                self.is_cut = True
                return

    def result(self, against: int | None) -> Check:
        version = self.candidate.version
        lacks = tuple(Lack(name, tuple(users)) for name, users in sorted(self.lacking.items()))
        results = tuple(self.results[key] for key in sorted(self.results))
        return Check(
            version.id,
            version.number,
            against,
            self.payloads,
            self.erased,
            self.is_cut,
            self.seconds,
            (),
            results,
            lacks,
        )

    def _try(self, payload: Payload, locale: str) -> None:
        if payload.is_gone:
            self.erased += 1
            return
        stand_ins = {name: self.sample[name] for name in payload.erased if name in self.sample}
        context = context_of(
            tenant=self.tenant,
            recipient=payload.recipient,
            event_type=payload.event_type,
            object_id=payload.object_id,
            data={**payload.data, **stand_ins},
            variables=EXAMPLE_LINKS,
        )
        self.payloads += 1
        for channel in self.channels:
            if not payload.channels or channel in payload.channels:
                self._judge(payload, channel, locale, context)

    def _judge(self, payload: Payload, channel: Channel, locale: str, context: Mapping[str, object]) -> None:
        locales = locale_chain(payload.recipient.locale, self.tenant.locale)
        old = _said(self.current, channel, locales, context) if self.current else None
        new = _said(self.candidate, channel, locales, context)
        if isinstance(new, RenderError) and isinstance(old, RenderError) and Fault.NO_TEMPLATE in (new.code, old.code):
            # neither has words for these readers here; or nobody got it before
            return
        result = self.results.setdefault((channel, locale), VariantCheck(channel, locale))
        result.rendered += 1
        if isinstance(new, RenderError):
            self._fails(payload, result, new, was_failing=isinstance(old, RenderError))
        elif isinstance(old, Rendered):
            changes = difference(old.content, new.content, secrets_of(payload.data, payload.sensitive))
            result.changed += bool(changes)
            result.same += not changes
            for name, diff in changes.items():
                result.note(Example("change", payload.what, name, diff=diff))
        else:
            result.same += 1

    def _fails(self, payload: Payload, result: VariantCheck, error: RenderError, *, was_failing: bool) -> None:
        if was_failing:
            result.failing += 1
            return
        result.broken += 1
        detail = masked(error.detail, secrets_of(payload.data, payload.sensitive))
        result.note(Example("break", payload.what, error.field, detail, error.line, error.column))
        if error.code == Fault.MISSING_DATA and (found := _MISSING.search(error.detail)):
            self.lacking[found[1]][payload.user] = None


def _said(
    content: Content, channel: Channel, locales: tuple[str, ...], context: Mapping[str, object]
) -> Rendered | RenderError:
    try:
        return render(content, channel=channel, locales=locales, context=context)
    except RenderError as error:
        return error
