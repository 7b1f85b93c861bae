"""/v1/users/{user_id}/preferences: what a person chose, and what holds for them."""

import re
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audience.selectors import recipient_ids
from apps.core import clock
from apps.core.bodies import decode
from apps.core.enums import Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Author, Change, Choices
from apps.events.selectors import event_type_page
from apps.preferences import links, showing
from apps.preferences.bodies import (
    ChangesBody,
    EffectiveAnswer,
    LinkAnswer,
    ManyPreferencesAnswer,
    ManyUsersBody,
    PreferencesAnswer,
    PreferencesBody,
)
from apps.preferences.changing import change_choices, etag
from apps.preferences.choosing import rules_of, stored
from apps.preferences.reading import changes, replacement
from apps.tenants.authentication import caller_of

SOURCE = "api"
MOST_EVENT_TYPES = 1_000
USER_ID = OpenApiParameter(
    "user_id",
    {"type": "string", "minLength": 1, "maxLength": 128, "examples": ["u_42"]},
    OpenApiParameter.PATH,
    description="Your own id of the person.",
)
_IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "examples": ['"3"']},
    OpenApiParameter.HEADER,
    description="The `ETag` that you read: 409 `stale_version` when it is another one now.",
)
_ETAG = OpenApiParameter(
    "ETag",
    {"type": "string", "examples": ['"4"']},
    OpenApiParameter.HEADER,
    response=[200],
    description="The version, in quotes.",
)
_IF_MATCH_FORM = re.compile(r'(?:W/)?"(\d{1,10})"', re.ASCII)


class Preferences(APIView):
    scopes = dict.fromkeys(("GET", "PUT", "PATCH"), Scope.USERS_WRITE)

    @extend_schema(
        operation_id="read_preferences",
        summary="Read a user's preferences",
        description="What the person chose. What holds where nothing was chosen: `/preferences/effective`.",
        parameters=[USER_ID, _ETAG],
        responses={200: PreferencesAnswer, 404: ProblemBody},
        tags=["Preferences"],
    )
    def get(self, request: Request, user_id: str) -> Response:
        return _answered(request, user_id, stored([id_ := recipient_of(request, user_id)])[id_])

    @extend_schema(
        operation_id="replace_preferences",
        summary="Replace a user's preferences",
        description="The next message obeys them. Those that stay as they were keep their source and date; so do mutes, quiet hours,"
        " the time of digests and blocked actors, which PATCH changes.",
        parameters=[USER_ID, _IF_MATCH, _ETAG],
        request=PreferencesBody,
        responses={200: PreferencesAnswer, 404: ProblemBody, 409: ProblemBody},
        examples=[
            OpenApiExample(
                "No marketing, and no email about orders",
                {
                    "preferences": [
                        {"topic": "category:marketing", "on": False},
                        {"topic": "order.*", "channel": "email", "on": False},
                    ]
                },
                request_only=True,
            )
        ],
        tags=["Preferences"],
    )
    def put(self, request: Request, user_id: str) -> Response:
        body = decode(request, PreferencesBody)
        return _changed(request, user_id, replacement(body), body.version)

    @extend_schema(
        operation_id="change_preferences",
        summary="Change some of a user's preferences",
        description="What is not named stays. The next message obeys. A choice that the tenant has locked is kept, and has no effect:"
        " the answer says `locked`, and why.",
        parameters=[USER_ID, _IF_MATCH, _ETAG],
        request=ChangesBody,
        responses={200: PreferencesAnswer, 404: ProblemBody, 409: ProblemBody},
        examples=[
            OpenApiExample(
                "Orders once a day at seven, nothing from u_77, and quiet nights",
                {
                    "preferences": [
                        {"topic": "order.*", "channel": "email", "on": True, "digest": "daily"},
                        {"topic": "category:social", "on": None},
                    ],
                    "digest_time": {"hour": 7},
                    "quiet_hours": [{"start": "22:00", "end": "07:00", "channels": ["push", "sms"]}],
                    "blocked_actors": ["u_77"],
                },
                request_only=True,
            )
        ],
        tags=["Preferences"],
    )
    def patch(self, request: Request, user_id: str) -> Response:
        body = decode(request, ChangesBody)
        return _changed(request, user_id, changes(body, clock.now()), body.version)


class EffectivePreferences(APIView):
    scopes = {"GET": Scope.USERS_WRITE}

    @extend_schema(
        operation_id="read_effective_preferences",
        summary="Read what holds for a user",
        description="For each category and each event type, per channel: whether it is on, who decided that, and whether the person"
        " can change it. Enough to draw a settings page of your own.",
        parameters=[USER_ID],
        responses={200: EffectiveAnswer, 404: ProblemBody},
        tags=["Preferences"],
    )
    def get(self, request: Request, user_id: str) -> Response:
        tenant_id, recipient_id = caller_of(request).tenant.id, recipient_of(request, user_id)
        chosen = stored([recipient_id])[recipient_id]
        defaults = rules_of([tenant_id])[tenant_id].defaults
        kinds = event_type_page(tenant_id, MOST_EVENT_TYPES, None)
        return Response(showing.effective_answer(user_id, chosen, defaults, kinds, clock.now()))


class ManyPreferences(APIView):
    scopes = {"POST": Scope.USERS_WRITE}

    @extend_schema(
        operation_id="read_many_preferences",
        summary="Read the preferences of many users",
        description="Up to 1,000 at once.",
        request=ManyUsersBody,
        responses={200: ManyPreferencesAnswer},
        tags=["Preferences"],
    )
    def post(self, request: Request) -> Response:
        body = decode(request, ManyUsersBody)
        tenant_id, now = caller_of(request).tenant.id, clock.now()
        known = recipient_ids(tenant_id, wanted := list(dict.fromkeys(body.user_ids)))
        chosen = stored(known.values())
        defaults = rules_of([tenant_id])[tenant_id].defaults
        categories = showing.categories_of(tenant_id, chosen.values(), defaults)
        found = {user_id: chosen[id_] for user_id, id_ in known.items() if id_ in chosen}
        return Response(
            ManyPreferencesAnswer(
                data=[
                    showing.preferences_answer(user_id, found[user_id], defaults, categories, now)
                    for user_id in wanted
                    if user_id in found
                ],
                unknown=[user_id for user_id in wanted if user_id not in found],
            )
        )


class PreferenceLinks(APIView):
    scopes = {"POST": Scope.USERS_WRITE}

    @extend_schema(
        operation_id="create_preference_link",
        summary="Make a link to a user's settings",
        description="Opens the person's own settings page without a login. Whoever has the link may change them.",
        parameters=[USER_ID],
        request=None,
        responses={201: LinkAnswer, 404: ProblemBody},
        tags=["Preferences"],
    )
    def post(self, request: Request, user_id: str) -> Response:
        return Response(LinkAnswer(url=links.settings_url(recipient_of(request, user_id))), status=201)


def recipient_of(request: Request, user_id: str) -> UUID:
    """Raises Problem: unknown_user."""
    found = recipient_ids(caller_of(request).tenant.id, [user_id]).get(user_id)
    if found is None:
        raise Problem(Code.UNKNOWN_USER)
    return found


def _changed(request: Request, user_id: str, change: Change, version: int | None) -> Response:
    chosen = change_choices(
        tenant_id=caller_of(request).tenant.id,
        recipient_id=recipient_of(request, user_id),
        change=change,
        by=Author(SOURCE),
        expected_version=_expected(request, version),
    )
    return _answered(request, user_id, chosen)


def _answered(request: Request, user_id: str, chosen: Choices) -> Response:
    tenant_id = caller_of(request).tenant.id
    defaults = rules_of([tenant_id])[tenant_id].defaults
    categories = showing.categories_of(tenant_id, [chosen], defaults)
    answer = showing.preferences_answer(user_id, chosen, defaults, categories, clock.now())
    return Response(answer, headers={"ETag": etag(chosen.version)})


def _expected(request: Request, version: int | None) -> int | None:
    """Raises Problem: out_of_range, contradiction."""
    given = request.headers.get("If-Match", "").strip()
    if given in ("", "*"):
        return version
    found = _IF_MATCH_FORM.fullmatch(given)
    if found is None:
        raise Problem(Code.OUT_OF_RANGE, 'Send the `ETag` that you read, e.g. `"3"`.', pointer="#header/If-Match")
    if version not in (None, int(found[1])):
        raise Problem(Code.CONTRADICTION, "`If-Match` and `version` differ.", pointer="/version")
    return int(found[1])
