"""One call of one endpoint, and what came of it. No database, no retry, no redirect, and no more of the answer than is needed."""

import logging
from dataclasses import dataclass
from time import monotonic

from apps.channels import answers
from apps.channels.deadlines import Deadline
from apps.channels.transport import Fault, HttpRequest, exchange
from apps.core import clock, ids
from apps.core.crypto import UndecipherableError
from apps.core.enums import Channel
from apps.core.types import Account
from apps.webhooks import signing
from apps.webhooks.claiming import Job
from apps.webhooks.guard import guard_of
from apps.webhooks.pacing import ANSWER_BYTES, AT_ONCE_PROVEN, CONNECT_SECONDS, TOTAL_SECONDS

log = logging.getLogger(__name__)
USER_AGENT = "notifier-webhooks/1"
SHOWN = 300


@dataclass(frozen=True, slots=True)
class Result:
    """`status`: of the answer, None without one; then `error` is a transport fault's code, `url_refused` or `secret_lost`.
    `answer`: how it began. `retry_after` in seconds."""

    job: Job
    seconds: float
    status: int | None = None
    error: str = ""
    answer: str = ""
    retry_after: float | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def call(job: Job) -> Result:
    """Never raises for what the endpoint does."""
    begun = monotonic()
    try:
        request = _request(job)
    except ValueError as error:
        return Result(job, 0.0, error="url_refused", answer=str(error))
    except UndecipherableError:
        log.error("webhook secret cannot be opened", extra={"endpoint": str(job.endpoint_id)})
        return Result(job, 0.0, error="secret_lost")
    said = exchange(_account(job), request, Deadline(TOTAL_SECONDS, CONNECT_SECONDS, TOTAL_SECONDS))
    seconds = monotonic() - begun
    if isinstance(said, Fault):
        return Result(job, seconds, error=said.code)
    asked = answers.retry_after(said.headers.get("retry-after"), clock.now())
    text = said.body[: SHOWN * 4].decode("utf-8", "replace")[:SHOWN]
    return Result(
        job, seconds, said.status, answer="".join(c if c.isprintable() else " " for c in text), retry_after=asked
    )


def _request(job: Job) -> HttpRequest:
    """Raises ValueError, UndecipherableError."""
    now = clock.now()
    secrets = signing.valid(signing.opened(job.endpoint_id, job.sealed), job.previous_until, now)
    shown = ids.show(ids.WEBHOOK_EVENT, job.event_id)
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT} | signing.headers(
        secrets, message_id=shown, now=now, body=job.body
    )
    return HttpRequest(job.url, job.body, headers, guard=guard_of(job.url), enough=ANSWER_BYTES)


def _account(job: Job) -> Account:
    """For the transport, which keeps an account's connections apart from all others'."""
    return Account(job.endpoint_id, "webhook", "webhook", Channel.IN_APP, "", "", {}, pool_size=AT_ONCE_PROVEN)
