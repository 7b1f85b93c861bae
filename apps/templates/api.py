"""/v1/templates: drafts, previews, versions."""

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from msgspec.structs import asdict
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import ids
from apps.core.bodies import decode
from apps.core.enums import Channel, Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Tenant
from apps.templates import bodies, examples, rollout, selectors, services, sms
from apps.templates.previewing import preview
from apps.templates.selectors import TemplateRow, VersionRow
from apps.tenants.auditing import audited
from apps.tenants.authentication import caller_of

TAGS = ["Templates"]
STEPS_SHOWN = 20
KEY = OpenApiParameter(
    "key",
    {"type": "string", "pattern": r"^[a-z0-9][a-z0-9_.-]{0,99}$", "examples": ["order_shipped_v3"]},
    OpenApiParameter.PATH,
)


class TemplatesView(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="list_templates",
        summary="List templates",
        description="Newest first, layouts among them.",
        tags=TAGS,
        parameters=PAGE_PARAMETERS,
        responses={200: bodies.TemplatePage},
    )
    def get(self, request: Request) -> Response:
        page = page_request(request)
        rows = selectors.templates(caller_of(request).tenant, page)
        has_more, rows = len(rows) > page.limit, rows[: page.limit]
        return Response(
            bodies.TemplatePage(
                data=[_summary(row) for row in rows],
                has_more=has_more,
                next_cursor=next_cursor(rows[-1].id) if has_more else None,
            )
        )


class TemplateView(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ, "PUT": Scope.ADMIN}

    @extend_schema(
        operation_id="get_template",
        summary="Read a template",
        description="With what is published and what is drafted.",
        tags=TAGS,
        parameters=[KEY],
        responses={200: bodies.TemplateAnswer},
    )
    def get(self, request: Request, key: str) -> Response:
        return Response(answer_of(caller_of(request).tenant, key))

    @extend_schema(
        operation_id="put_template",
        summary="Save a draft",
        description="Replaces the one draft of this template, or creates the template. Nothing is sent with a draft: publish it.",
        tags=TAGS,
        parameters=[KEY],
        request=bodies.TemplateBody,
        responses={200: bodies.TemplateAnswer, 201: bodies.TemplateAnswer, 404: ProblemBody, 409: ProblemBody},
        examples=[OpenApiExample("order shipped", value=examples.TEMPLATE, request_only=True)],
    )
    @audited("message_templates.template", action="save_draft", key="key")
    def put(self, request: Request, key: str) -> Response:
        body = decode(request, bodies.TemplateBody, limit=settings.API_BATCH_BODY_LIMIT)
        tenant = caller_of(request).tenant
        saved = services.save_draft(
            tenant=tenant,
            key=key,
            name=body.name,
            variants=[services.Source(each.channel, each.locale, each.content) for each in body.variants],
            layout=body.layout,
            sample=body.sample,
            is_layout=body.is_layout,
            is_partial=body.is_partial,
        )
        return Response(answer_of(tenant, key), status=201 if saved.is_new else 200)


class PreviewView(APIView):
    scopes = {"POST": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="preview_template",
        summary="Render without sending",
        description="The draft, or a version, as a reader would get it. Nothing is stored.",
        tags=TAGS,
        parameters=[KEY],
        request=bodies.PreviewBody,
        responses={200: bodies.PreviewAnswer, 422: ProblemBody},
        examples=[OpenApiExample("German SMS", value=examples.PREVIEW, request_only=True)],
    )
    def post(self, request: Request, key: str) -> Response:
        body = decode(request, bodies.PreviewBody)
        tenant = caller_of(request).tenant
        template = known(tenant, key)
        rendered = preview(
            tenant=tenant,
            template=template,
            version=_chosen(tenant, template, body.version),
            channel=body.channel,
            locale=body.locale,
            data=body.data,
            recipient=body.recipient,
        )
        count = sms.count(rendered.content["body"]) if body.channel is Channel.SMS else None
        return Response(
            bodies.PreviewAnswer(
                channel=body.channel,
                locale=rendered.locale,
                version=rendered.version,
                content=dict(rendered.content),
                size=rendered.size,
                sms=bodies.SmsAnswer(encoding=count.encoding, segments=count.segments, outside_gsm7=count.outside)
                if count
                else None,
            )
        )


class VersionsView(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="list_template_versions",
        summary="List the versions of a template",
        description="Newest first; the draft, if there is one, has no `published_at`.",
        tags=TAGS,
        parameters=[KEY, *PAGE_PARAMETERS],
        responses={200: bodies.VersionPage},
    )
    def get(self, request: Request, key: str) -> Response:
        page = page_request(request)
        tenant = caller_of(request).tenant
        rows = selectors.versions(tenant, known(tenant, key).id, page)
        has_more, rows = len(rows) > page.limit, rows[: page.limit]
        return Response(
            bodies.VersionPage(
                data=[_version(row) for row in rows],
                has_more=has_more,
                next_cursor=next_cursor(rows[-1].id) if has_more else None,
            )
        )


def known(tenant: Tenant, key: str) -> TemplateRow:
    found = selectors.template_by_key(tenant, key)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"There is no template `{key}`.")
    return found


def _chosen(tenant: Tenant, template: TemplateRow, number: int | None) -> VersionRow:
    if number is not None:
        found = selectors.version_by_number(tenant, template.id, number)
    else:
        found = selectors.draft(tenant, template.id)
        if found is None and template.current is not None:
            found = selectors.version_by_number(tenant, template.id, template.current)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"There is no version {number}.", pointer="/version")
    return found


def answer_of(tenant: Tenant, key: str) -> bodies.TemplateAnswer:
    row = known(tenant, key)
    current = selectors.version_by_number(tenant, row.id, row.current) if row.current else None
    draft = selectors.draft(tenant, row.id)
    return bodies.TemplateAnswer(
        **asdict(_summary(row)),
        published=_whole(tenant, current) if current else None,
        draft=_whole(tenant, draft) if draft else None,
        steps=[
            bodies.StepAnswer(
                version=step.number,
                action=step.action,
                by=step.by,
                at=step.at,
                share=step.share,
                because=step.because,
            )
            for step in selectors.steps(tenant, row.id, STEPS_SHOWN)
        ],
        rollout=_rollout(rollout.rollout(tenant, key)),
    )


def _rollout(found: rollout.Rollout | None) -> bodies.RolloutAnswer | None:
    if found is None:
        return None
    return bodies.RolloutAnswer(
        version=found.number,
        against=found.against,
        share=found.share,
        by=found.by,
        since=found.since,
        sends=found.new.sends,
        errors=found.new.errors,
        sends_against=found.old.sends,
        errors_against=found.old.errors,
    )


def _summary(row: TemplateRow) -> bodies.TemplateSummary:
    return bodies.TemplateSummary(
        id=ids.show(ids.TEMPLATE, row.id),
        key=row.key,
        name=row.name,
        is_layout=row.is_layout,
        is_partial=row.is_partial,
        version=row.current,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _version(row: VersionRow) -> bodies.VersionSummary:
    return bodies.VersionSummary(
        id=ids.show(ids.TEMPLATE_VERSION, row.id),
        number=row.number,
        layout=row.layout,
        is_current=row.is_current,
        published_at=row.published_at,
        published_by=row.published_by,
        created_at=row.created_at,
    )


def _whole(tenant: Tenant, row: VersionRow) -> bodies.VersionAnswer:
    variants = [
        bodies.VariantAnswer(channel=each.channel, locale=each.locale, content=dict(each.source))
        for each in selectors.variants(tenant, row.id)
    ]
    return bodies.VersionAnswer(**asdict(_version(row)), sample=dict(row.sample), variants=variants)
