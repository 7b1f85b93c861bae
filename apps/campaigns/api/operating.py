"""/v1/campaigns/{id}/...: launched, paused, resumed, cancelled, slowed down; and why no key approves."""

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.campaigns import approving, examples, launching, reading, winning
from apps.campaigns.agreeing import launch_by_key
from apps.campaigns.api.finding import ID, TAGS, found, mine
from apps.campaigns.bodies import SubmitBody, ThrottleBody, WinnerBody
from apps.campaigns.serializers import CampaignAnswer, CampaignHalted, admin_url
from apps.core import clock
from apps.core.bodies import decode
from apps.core.enums import Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.tenants import auditing
from apps.tenants.auditing import audited
from apps.tenants.authentication import caller_of

REFUSALS = {403: ProblemBody, 404: ProblemBody, 409: ProblemBody}


class CampaignLaunch(APIView):
    scopes = {"POST": Scope.CAMPAIGNS_LAUNCH}

    @extend_schema(
        operation_id="launch_campaign",
        summary="Launch a campaign",
        description="At once or for its time, whatever the size of its audience: people are counted when it is sent. Keys need no approval"
        " unless the tenant's policy says so; then it answers `approval_needed` until somebody has approved it in the admin, and a run that"
        " is above the limits when its time comes pauses.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: CampaignAnswer, **REFUSALS},
    )
    def post(self, request: Request, campaign_id: str) -> Response:
        row, caller = mine(request, campaign_id), caller_of(request)
        launch_by_key(tenant=caller.tenant, campaign_id=row.id, actor=auditing.key(caller), now=clock.now())
        return Response(CampaignAnswer.of(found(request, campaign_id)))


class CampaignPause(APIView):
    scopes = {"POST": Scope.CAMPAIGNS_LAUNCH}

    @extend_schema(
        operation_id="pause_campaign",
        summary="Pause a campaign",
        description="No worker begins another batch. The answer says what nobody can call back.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: CampaignHalted, **REFUSALS},
    )
    @audited("campaigns.campaign", action="pause", id="campaign_id")
    def post(self, request: Request, campaign_id: str) -> Response:
        row, caller = mine(request, campaign_id), caller_of(request)
        by = auditing.key(caller).name
        halted = launching.pause(campaign_id=row.id, tenant_id=caller.tenant.id, by=by, now=clock.now())
        return Response(CampaignHalted.of(halted, found(request, campaign_id).head["status"]))


class CampaignResume(APIView):
    scopes = {"POST": Scope.CAMPAIGNS_LAUNCH}

    @extend_schema(
        operation_id="resume_campaign",
        summary="Resume a campaign",
        description="A run that was above the limits for approvals when its time came, and that nobody had approved, answers"
        " `approval_needed`; one that had outgrown what was approved, `approval_void`: until somebody approves what it is now. Ask with"
        " `submit`. The run's `pause_reason` is the same code, its `pause_text` has the numbers.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: CampaignAnswer, **REFUSALS},
    )
    @audited("campaigns.campaign", action="resume", id="campaign_id")
    def post(self, request: Request, campaign_id: str) -> Response:
        row, caller = mine(request, campaign_id), caller_of(request)
        launching.resume(campaign_id=row.id, tenant_id=caller.tenant.id, by=auditing.key(caller).name)
        return Response(CampaignAnswer.of(found(request, campaign_id)))


class CampaignCancel(APIView):
    scopes = {"POST": Scope.CAMPAIGNS_LAUNCH}

    @extend_schema(
        operation_id="cancel_campaign",
        summary="Cancel a campaign",
        description="The rest is not sent; what was sent is not taken back.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: CampaignHalted, **REFUSALS},
    )
    @audited("campaigns.campaign", action="cancel", id="campaign_id")
    def post(self, request: Request, campaign_id: str) -> Response:
        row, caller = mine(request, campaign_id), caller_of(request)
        by = auditing.key(caller).name
        halted = launching.cancel(campaign_id=row.id, tenant_id=caller.tenant.id, by=by, now=clock.now())
        return Response(CampaignHalted.of(halted, found(request, campaign_id).head["status"]))


class CampaignThrottle(APIView):
    scopes = {"POST": Scope.CAMPAIGNS_LAUNCH}

    @extend_schema(
        operation_id="throttle_campaign",
        summary="Slow a campaign down",
        description="While it is sent: from the next page on.",
        tags=TAGS,
        parameters=[ID],
        request=ThrottleBody,
        responses={200: CampaignAnswer, **REFUSALS},
        examples=examples.THROTTLE,
    )
    @audited("campaigns.campaign", action="throttle", id="campaign_id")
    def post(self, request: Request, campaign_id: str) -> Response:
        body, row, caller = decode(request, ThrottleBody), mine(request, campaign_id), caller_of(request)
        launching.set_throttle(campaign_id=row.id, tenant_id=caller.tenant.id, per_minute=body.per_minute)
        return Response(CampaignAnswer.of(found(request, campaign_id)))


class CampaignWinner(APIView):
    scopes = {"POST": Scope.CAMPAIGNS_LAUNCH}

    @extend_schema(
        operation_id="choose_winner",
        summary="Choose the winner",
        description="Where variants are being tried first: everybody else gets this one; where everybody has their own clock, at the"
        " campaign's time of their next day.",
        tags=TAGS,
        parameters=[ID],
        request=WinnerBody,
        responses={200: CampaignAnswer, 400: ProblemBody, **REFUSALS},
        examples=examples.WINNER,
    )
    @audited("campaigns.campaign", action="choose_winner", id="campaign_id")
    def post(self, request: Request, campaign_id: str) -> Response:
        body, row, caller = decode(request, WinnerBody), mine(request, campaign_id), caller_of(request)
        tenant_id, by = caller.tenant.id, auditing.key(caller).name
        if body.variant >= len(row.values["variants"]):
            raise Problem(Code.OUT_OF_RANGE, "There is no such variant.", pointer="/variant")
        runs = reading.runs(tenant_id, row.id, limit=1)
        if not runs or not winning.choose_by_hand(
            tenant_id=tenant_id, run_id=runs[0].row["id"], winner=body.variant, by=by, now=clock.now()
        ):
            raise Problem(Code.CAMPAIGN_STATE, "No variants are being tried, or the winner was chosen.")
        return Response(CampaignAnswer.of(found(request, campaign_id)))


class CampaignSubmit(APIView):
    scopes = {"POST": Scope.CAMPAIGNS_WRITE}

    @extend_schema(
        operation_id="submit_campaign",
        summary="Ask for an approval",
        description="It waits in review for somebody to approve it in the admin; nobody changes it meanwhile. Counts the audience."
        " Of a campaign that was paused because its run lacks an approval: for the run as it is; it stays paused.",
        tags=TAGS,
        parameters=[ID],
        request=SubmitBody,
        responses={200: CampaignAnswer, **REFUSALS},
        examples=examples.SUBMIT,
    )
    @audited("campaigns.campaign", action="submit", is_long=True, id="campaign_id")
    def post(self, request: Request, campaign_id: str) -> Response:
        body, row, caller = decode(request, SubmitBody), mine(request, campaign_id), caller_of(request)
        by = auditing.key(caller).name
        with transaction.atomic():
            approving.ask(tenant=caller.tenant, campaign_id=row.id, by=by, note=body.note, now=clock.now())
        return Response(CampaignAnswer.of(found(request, campaign_id)))


class CampaignApprove(APIView):
    scopes = {"POST": Scope.CAMPAIGNS_READ}

    @extend_schema(
        operation_id="approve_campaign",
        summary="Why no key approves",
        description="Always refused: an approval is a person's. The answer says where it is given.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={403: ProblemBody, 404: ProblemBody},
    )
    def post(self, request: Request, campaign_id: str) -> Response:
        row = found(request, campaign_id)
        where = request.build_absolute_uri(admin_url(row))
        raise Problem(
            Code.FORBIDDEN, f"Approvals are given by people: somebody who may opens {where} and decides there."
        )
