"""The receipts door: the signature is the key. Stores the call as it came and answers; workers read it later."""

from django.conf import settings
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from apps.channels import registry
from apps.channels import selectors as channels
from apps.channels.base import UnverifiableError
from apps.core import clock
from apps.core.problem_codes import Code
from apps.core.problems import Problem, problem_of, problem_response
from apps.core.types import Account, ProviderCall
from apps.dispatch.ringer import ringer
from apps.receipts import services
from apps.receipts.tasks import QUEUE

BODY_LIMIT = 1024 * 1024


@csrf_exempt
def receive(request: HttpRequest, key: str) -> HttpResponse:
    """What the provider takes for a yes (202 if it is not particular) once the call is committed. 401 without a valid signature,
    404 for an account that has no receipts."""
    try:
        status, content_type, body = _receive(request, key)
    except (Problem, DatabaseError) as error:
        return problem_response(request, problem_of(error))
    return HttpResponse(body, status=status, content_type=content_type)


def _receive(request: HttpRequest, key: str) -> tuple[int, str, bytes]:
    if request.method != "POST":
        raise Problem(Code.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
    account = _account(key)
    headers = {name.lower(): value for name, value in request.headers.items()}
    call = ProviderCall(settings.PUBLIC_URL + request.get_full_path(), headers, _body(request))
    provider = registry.provider(account.provider)
    try:
        is_theirs = provider.verify(account, call, clock.now())
    except UnverifiableError as error:
        raise Problem(Code.UNAVAILABLE, f"Not stored: {error}.", headers={"Retry-After": "20"}) from None
    if not is_theirs:
        raise Problem(Code.SIGNATURE_INVALID)
    services.store_call(account=account, call=call)
    # beside the answer: a provider counts every call that we take long for
    transaction.on_commit(lambda: ringer.ask(QUEUE), robust=True)
    return provider.thanks


def _account(key: str) -> Account:
    account = channels.account_by_key(key)
    if account is None or not registry.provider(account.provider).has_receipts:
        raise Problem(Code.NOT_FOUND)
    return account


def _body(request: HttpRequest) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > BODY_LIMIT:
        raise Problem(Code.BODY_TOO_LARGE, f"Send at most {BODY_LIMIT} bytes.")
    try:
        return request.body
    except UnreadablePostError:
        raise Problem(Code.INVALID_JSON, "The body did not arrive whole.") from None
