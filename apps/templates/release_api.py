"""/v1/templates/{key}: check, publish, roll out, roll back, and who uses it."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.bodies import decode
from apps.core.enums import Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.templates import bodies, gate, release_bodies, rollout, services, usage
from apps.templates.api import KEY, TAGS, answer_of, known
from apps.templates.checking import Check, VariantCheck
from apps.templates.republishing import republish
from apps.tenants.auditing import audited
from apps.tenants.authentication import caller_of


class CheckView(APIView):
    scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        operation_id="check_template",
        summary="Try the draft with what was really sent",
        description="Renders the last messages of each locale with the draft and with the current version: what would break, and what "
        "would say something else. Nothing is sent. At most a few seconds; `is_cut` says when that was not enough.",
        tags=TAGS,
        parameters=[KEY],
        request=release_bodies.CheckBody,
        responses={200: release_bodies.CheckAnswer, 409: ProblemBody, 422: ProblemBody},
        examples=[OpenApiExample("the last 20", value={"last": 20}, request_only=True)],
    )
    def post(self, request: Request, key: str) -> Response:
        body = decode(request, release_bodies.CheckBody)
        return Response(_checked(gate.check(tenant=caller_of(request).tenant, key=key, last=body.last)))


class PublishView(APIView):
    scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        operation_id="publish_template",
        summary="Publish the draft",
        description="Renders every channel and locale with the sample first, then the last messages of each locale: what breaks one that "
        "was fine is refused; where messages would say something else, `seen` says that somebody looked. From then on this version never "
        "changes, nor do its layout and partials. With a `share` only that part of the people gets it, and it is taken back by itself when "
        "it fails more often than the one before.",
        tags=TAGS,
        parameters=[KEY],
        request=release_bodies.PublishBody,
        responses={200: bodies.TemplateAnswer, 409: ProblemBody, 422: ProblemBody},
        examples=[OpenApiExample("to 5 %", value={"share": 5}, request_only=True)],
    )
    @audited("message_templates.template", action="publish", is_long=True, key="key")
    def post(self, request: Request, key: str) -> Response:
        has_body = bool(request._request.body)
        body = decode(request, release_bodies.PublishBody) if has_body else release_bodies.PublishBody()
        caller = caller_of(request)
        by = f"key {caller.key_name}"
        gate.publish_checked(tenant=caller.tenant, key=key, by=by, share=body.share, seen=body.seen)
        return Response(answer_of(caller.tenant, key))


class RolloutView(APIView):
    scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        operation_id="move_template_rollout",
        summary="Raise, finish or revert a rollout",
        description="`raise` gives the new version to more of the people, `finish` to all, `revert` to nobody any more.",
        tags=TAGS,
        parameters=[KEY],
        request=release_bodies.RolloutBody,
        responses={200: bodies.TemplateAnswer, 409: ProblemBody},
        examples=[OpenApiExample("to half", value={"action": "raise", "share": 50}, request_only=True)],
    )
    @audited("message_templates.template", action="roll_out", key="key")
    def post(self, request: Request, key: str) -> Response:
        body = decode(request, release_bodies.RolloutBody)
        caller = caller_of(request)
        tenant, by = caller.tenant, f"key {caller.key_name}"
        if (body.action == "raise") != (body.share is not None):
            code = Code.MISSING_FIELD if body.share is None else Code.CONTRADICTION
            raise Problem(code, "`raise` takes a `share`, and nothing else does.", pointer="/share")
        if body.share is not None:
            rollout.raise_share(tenant=tenant, key=key, share=body.share, by=by)
        elif body.action == "finish":
            rollout.finish(tenant=tenant, key=key, by=by)
        else:
            rollout.revert(tenant=tenant, key=key, by=by, because=body.because)
        return Response(answer_of(tenant, key))


class RollbackView(APIView):
    scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        operation_id="rollback_template",
        summary="Make another version current",
        description="Any version that was published, with the layout and partials of then. The draft stays, and so does every version. A "
        "rollout under way ends.",
        tags=TAGS,
        parameters=[KEY],
        request=bodies.RollbackBody,
        responses={200: bodies.TemplateAnswer, 422: ProblemBody},
        examples=[OpenApiExample("back to version 2", value={"version": 2}, request_only=True)],
    )
    @audited("message_templates.template", action="roll_back", is_long=True, key="key")
    def post(self, request: Request, key: str) -> Response:
        body = decode(request, bodies.RollbackBody)
        caller = caller_of(request)
        services.rollback(tenant=caller.tenant, key=key, to_number=body.version, by=f"key {caller.key_name}")
        return Response(answer_of(caller.tenant, key))


class UsageView(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="list_template_usage",
        summary="List who uses a template",
        description="Event types, who sent it in the last 30 days (as far back as two seconds of reading go), schedules, campaigns, and "
        "the templates that have it within them.",
        tags=TAGS,
        parameters=[KEY],
        responses={200: release_bodies.UsageAnswer},
    )
    def get(self, request: Request, key: str) -> Response:
        tenant = caller_of(request).tenant
        known(tenant, key)
        uses = usage.usage_of(tenant=tenant, key=key)
        return Response(
            release_bodies.UsageAnswer(
                data=[
                    release_bodies.UseAnswer(
                        kind=use.kind, name=use.name, detail=use.detail, count=use.count, last_at=use.last_at
                    )
                    for use in uses
                ]
            )
        )


class RepublishView(APIView):
    scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        operation_id="republish_template_users",
        summary="Publish again what has an older version of this layout or partial",
        description="Publishing a layout or partial changes no template by itself. This publishes each of those again, as it is, with the "
        "newer one; what would break, has a draft or is being rolled out stays as it is and says why.",
        tags=TAGS,
        parameters=[KEY],
        request=None,
        responses={200: release_bodies.RepublishedList},
    )
    def post(self, request: Request, key: str) -> Response:
        caller = caller_of(request)
        known(caller.tenant, key)
        found = republish(tenant=caller.tenant, key=key, by=f"key {caller.key_name}")
        return Response(
            release_bodies.RepublishedList(
                data=[release_bodies.RepublishedAnswer(key=one.key, version=one.number, why=one.why) for one in found]
            )
        )


def _checked(found: Check) -> release_bodies.CheckAnswer:
    return release_bodies.CheckAnswer(
        text=found.text,
        breaks=found.has_breaks,
        changes=found.has_changes,
        seen=found.seen,
        version=found.number,
        against=found.against,
        messages=found.payloads,
        erased=found.erased,
        is_cut=found.is_cut,
        errors=list(found.errors),
        results=[_variant(one) for one in found.results],
        lacks=[release_bodies.LackAnswer(variable=lack.variable, users=list(lack.users)) for lack in found.lacks],
    )


def _variant(one: VariantCheck) -> release_bodies.VariantCheckAnswer:
    return release_bodies.VariantCheckAnswer(
        channel=one.channel,
        locale=one.locale,
        rendered=one.rendered,
        broken=one.broken,
        failing=one.failing,
        changed=one.changed,
        same=one.same,
        examples=[
            release_bodies.ExampleAnswer(
                kind=each.kind,
                what=each.what,
                field=each.field,
                detail=each.detail,
                line=each.line,
                column=each.column,
                diff=list(each.diff),
            )
            for each in one.examples
        ],
    )
