"""Which commits wait for the disk: all on whose strength something is done outside before a later one has waited."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from apps.campaigns import expanding
from apps.core import clock, ids
from apps.core.enums import DeliveryStatus, OutcomeKind
from apps.core.rows import fetch
from apps.core.types import Outcome, Rendered
from apps.ledger import leases
from apps.ledger.sending_results import Intent, Settlement, settle, write_intents
from tests.integration import campaign_runs_cast as cast
from tests.integration.dispatch_cast import LEASE, claimed, notify, people, route
from tests.integration.dispatch_cast import rung as rung  # a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung")]


def waits(do: Callable[[], Any]) -> tuple[bool, Any]:
    """Whether the transaction that it makes waits for the disk, and what it gives."""
    assert fetch("SHOW synchronous_commit", {}) == [("on",)]
    with transaction.atomic():
        given = do()
        ((setting,),) = fetch("SHOW synchronous_commit", {})
    return setting == "on", given


def test_what_was_accepted_and_all_around_a_call_waits_and_the_claim_does_not() -> None:
    is_waiting, _ = waits(lambda: notify(people(1)))
    assert is_waiting
    route()
    is_waiting, works = waits(lambda: claimed("send.transactional.email"))
    assert not is_waiting
    (work,) = works
    attempt = ids.new()
    is_waiting, mine = waits(
        lambda: write_intents([Intent(work, attempt, "acc", Rendered({}, "", None, 0, 9))], lease=LEASE)
    )
    assert (is_waiting, mine) == (True, {work.id})
    said = Outcome(OutcomeKind.ACCEPTED, provider_message_id="m")
    is_waiting, mine = waits(
        lambda: settle([Settlement(work, attempt_id=attempt, outcome=said, account="acc", status=DeliveryStatus.SENT)])
    )
    assert (is_waiting, mine) == (True, {work.id})
    is_waiting, _ = waits(lambda: leases.close([work]))
    assert not is_waiting


def test_a_launch_waits_and_a_page_does_not() -> None:
    acme = cast.acme()
    cast.people(acme, 3)
    spring = cast.campaign(acme)
    is_waiting, _ = waits(lambda: cast.launch(spring))
    assert is_waiting
    cast.begin()
    is_waiting, page = waits(lambda: expanding.expand_next(clock.now()))
    assert (is_waiting, page.people) == (False, 3)
