"""`Authorization: Bearer <recipient token>` -> InboxViewer. Missing, forged, expired and other tokens get the same answer."""

from math import ceil
from typing import Any, Literal, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apps.core import clock
from apps.core.buckets import Bucket, take
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.inbox.tokens import InboxViewer, bearer_token, viewer_of

CHALLENGE = 'Bearer realm="inbox"'
RATE_PER_SECOND, BURST = 10, 60


class InboxTokenAuthentication(BaseAuthentication):
    """`request.user` and `request.auth` are the InboxViewer. Raises Problem: inbox_token_invalid."""

    def authenticate(self, request: Request) -> tuple[InboxViewer, InboxViewer]:
        viewer = viewer_of(bearer_token(request.META.get("HTTP_AUTHORIZATION", "")), now=clock.now())
        if viewer is None:
            raise Problem(Code.INBOX_TOKEN_INVALID, headers={"WWW-Authenticate": CHALLENGE})
        return viewer, viewer

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class RecipientThrottle(BaseThrottle):
    """One bucket per recipient: the token is in a browser, and a page that loops must not cost the tenant's other people."""

    def allow_request(self, request: Request, view: Any) -> bool:
        verdict = take([Bucket(f"rate:inbox:{cast(InboxViewer, request.auth).recipient_id}", RATE_PER_SECOND, BURST)])
        if not verdict.is_allowed:
            raise Problem(Code.THROTTLED, headers={"Retry-After": str(ceil(verdict.retry_after))})
        return True


class InboxTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema names it."""

    target_class = InboxTokenAuthentication
    name: Literal["InboxToken"] = "InboxToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A recipient token from `POST /v1/users/{user_id}/inbox-tokens`: one person's feed, for a limited time.",
        }
