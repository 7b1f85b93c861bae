"""/v1/seed-lists: who gets test sends together."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.bodies import decode
from apps.core.enums import Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.templates import release_bodies, seeds
from apps.templates.api import TAGS
from apps.tenants.auditing import audited
from apps.tenants.authentication import caller_of

NAME = OpenApiParameter(
    "name", {"type": "string", "minLength": 1, "maxLength": 100, "examples": ["design"]}, OpenApiParameter.PATH
)


class SeedListsView(APIView):
    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="list_seed_lists",
        summary="List the seed lists",
        description="At most 100, by name.",
        tags=TAGS,
        responses={200: release_bodies.SeedLists},
    )
    def get(self, request: Request) -> Response:
        return Response(
            release_bodies.SeedLists(data=[_shown(one) for one in seeds.seed_lists(caller_of(request).tenant)])
        )


class SeedListView(APIView):
    scopes = {"PUT": Scope.ADMIN, "DELETE": Scope.ADMIN}

    @extend_schema(
        operation_id="put_seed_list",
        summary="Save a seed list",
        description="Replaces it, or creates it. Addresses become people of their own, whose user_ids are answered.",
        tags=TAGS,
        parameters=[NAME],
        request=release_bodies.SeedListBody,
        responses={200: release_bodies.SeedListAnswer, 404: ProblemBody},
        examples=[
            OpenApiExample("two people", value={"user_ids": [], "addresses": ["mira@example.com"]}, request_only=True)
        ],
    )
    @audited("message_templates.seedlist", name="name")
    def put(self, request: Request, name: str) -> Response:
        body = decode(request, release_bodies.SeedListBody)
        saved = seeds.save_seed_list(
            tenant=caller_of(request).tenant, name=name, user_ids=body.user_ids, addresses=body.addresses
        )
        return Response(_shown(saved))

    @extend_schema(
        operation_id="delete_seed_list",
        summary="Delete a seed list",
        description="The people on it stay.",
        tags=TAGS,
        parameters=[NAME],
        responses={204: None},
    )
    def delete(self, request: Request, name: str) -> Response:
        if not seeds.delete_seed_list(tenant=caller_of(request).tenant, name=name):
            raise Problem(Code.NOT_FOUND, f"There is no seed list `{name}`.")
        return Response(status=204)


def _shown(one: seeds.Seeds) -> release_bodies.SeedListAnswer:
    return release_bodies.SeedListAnswer(name=one.name, user_ids=list(one.user_ids))
