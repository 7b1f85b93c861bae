"""The provider against the simulator; and the unmodified anymail backend against it, as the judge of the simulator."""

from dataclasses import replace
from datetime import timedelta

import pytest
from anymail.exceptions import AnymailAPIError, AnymailRecipientsRefused
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from msgspec import structs

from apps.channels import transport
from apps.channels.deadlines import Deadline
from apps.core import clock
from apps.core.enums import Category, EventKind, OutcomeKind
from apps.core.types import Account, Outcome
from tests.contract.postmark.test_postmark_provider import TestPostmark as Case
from tests.simulators import running
from tests.simulators.postmark import PostmarkSimulator

CASE = Case()


def account(simulator: PostmarkSimulator, **changes: object) -> Account:
    made = replace(CASE.account(simulator.url), read_timeout=5.0, settings=simulator.settings)
    return replace(made, **changes)  # type: ignore[arg-type]


def checked(simulator: PostmarkSimulator, **changes: object) -> Outcome:
    found = CASE.provider.check_credentials(account(simulator, **changes), Deadline(2.0, 1.0, 1.0))
    transport.close_connections()
    assert found
    return found


def anymail(simulator: PostmarkSimulator, **options: str) -> BaseEmailBackend:
    given = {"server_token": simulator.credentials["server_token"], **options}
    return get_connection("anymail.backends.postmark.EmailBackend", api_url=simulator.url, **given)


def test_it_sends_five_hundred_with_one_request_and_reads_its_receipts() -> None:
    messages = CASE.messages(500)
    with running(PostmarkSimulator()) as simulator:
        outcomes = CASE.provider.send(account(simulator), messages, deadline=8.0)
        transport.close_connections()
    assert [o.kind for o in outcomes] == [OutcomeKind.ACCEPTED] * 500
    assert [(m.reference, m.address, m.delivery) for m in messages] == [
        (one.reference, one.address, one.delivery) for one in simulator.taken
    ]
    assert [o.provider_message_id for o in outcomes] == [one.message_id for one in simulator.taken]
    assert len(simulator.requests) == 1
    one = replace(simulator.taken[0], receipts_to=CASE.url)
    for kind in EventKind:
        call = simulator.receipt(one, kind, clock.now().timestamp())
        if call:
            assert CASE.provider.verify(account(simulator), call, clock.now())
            (receipt,) = CASE.provider.parse_receipts(account(simulator), call)
            assert (receipt.kind, receipt.reference) == (kind, messages[0].reference)
            assert receipt.provider_message_id == one.message_id
            assert not CASE.provider.verify(account(simulator), simulator.forged(call), clock.now())


def test_bad_addresses_lose_nobody_else() -> None:
    good, bad, inactive, other = CASE.messages(4)
    with running(PostmarkSimulator()) as simulator:
        simulator.inactive.add(inactive.address)
        mails = [
            good,
            structs.replace(bad, address="rosa1@nowhere"),
            inactive,
            structs.replace(other, category=Category.MARKETING),
        ]
        outcomes = CASE.provider.send(account(simulator), mails, deadline=5.0)
        transport.close_connections()
    assert [o.kind for o in outcomes] == [
        OutcomeKind.ACCEPTED,
        OutcomeKind.INVALID_ADDRESS,
        OutcomeKind.OPTED_OUT,
        OutcomeKind.ACCEPTED,
    ]
    assert {one.reference for one in simulator.taken} == {good.reference, other.reference}
    assert len(simulator.requests) == 1


def test_a_stream_that_is_not_there_is_ours_to_mend() -> None:
    with running(PostmarkSimulator()) as simulator:
        wrong = account(simulator, settings={"streams": {"default": "nowhere"}})
        outcomes = CASE.provider.send(wrong, CASE.messages(2), deadline=5.0)
        transport.close_connections()
    assert [o.kind for o in outcomes] == [OutcomeKind.MISCONFIGURED] * 2
    assert simulator.taken == []


def test_it_finds_what_it_doubts() -> None:
    taken, lost = CASE.messages(2)
    now = clock.now()
    with running(PostmarkSimulator()) as simulator:
        own = account(simulator)
        simulator.behave(drop="after")
        (doubtful,) = CASE.provider.send(own, [taken], deadline=5.0)
        simulator.behave()
        asked = [
            CASE.provider.look_up(own, taken, now, Deadline(2.0, 1.0, 1.0)),
            CASE.provider.look_up(own, lost, now - timedelta(minutes=1), Deadline(2.0, 1.0, 1.0)),
            CASE.provider.look_up(own, lost, now - timedelta(minutes=2), Deadline(2.0, 1.0, 1.0)),
            CASE.provider.look_up(replace(own, credentials={}), taken, now, Deadline(2.0, 1.0, 1.0)),
        ]
        transport.close_connections()
    assert doubtful.kind == OutcomeKind.AMBIGUOUS
    assert asked == [simulator.taken[0].message_id, None, "", None]


def test_it_asks_whose_token_it_is() -> None:
    with running(PostmarkSimulator()) as simulator:
        assert checked(simulator).kind == OutcomeKind.ACCEPTED
        assert checked(simulator, credentials={"server_token": "wrong"}).kind == OutcomeKind.MISCONFIGURED
    with running(PostmarkSimulator("Sandbox")) as simulator:
        assert checked(simulator).code == "sandbox_server"


def test_the_unmodified_backend_takes_the_simulator_for_postmark() -> None:
    mail = EmailMultiAlternatives("Hello", "text", "hello@acme.test", ["rosa@example.com"])
    mail.attach_alternative("<p>html</p>", "text/html")
    batch = EmailMultiAlternatives("Hello", "text", "hello@acme.test", ["rosa@example.com", "bea@example.com"])
    vars(batch)["merge_metadata"] = {"rosa@example.com": {"notifier_reference": "at_1"}}
    with running(PostmarkSimulator()) as simulator:
        simulator.inactive.add("bea@example.com")
        assert anymail(simulator).send_messages([mail]) == 1
        assert vars(mail)["anymail_status"].message_id == simulator.taken[0].message_id
        assert anymail(simulator).send_messages([batch]) == 1
        assert [one.reference for one in simulator.taken] == ["", "at_1"]
        found = vars(batch)["anymail_status"].recipients
        assert [found[address].status for address in batch.to] == ["sent", "rejected"]
        mail.to = ["bea@example.com"]
        with pytest.raises(AnymailRecipientsRefused):
            anymail(simulator).send_messages([mail])
        mail.to, mail.from_email = ["rosa@example.com"], "hello@elsewhere.test"
        with pytest.raises(AnymailAPIError, match="not a Sender Signature"):
            anymail(simulator).send_messages([mail])
        with pytest.raises(AnymailAPIError, match="1235"):
            anymail(simulator, message_stream="nowhere").send_messages([batch])
        with pytest.raises(AnymailAPIError, match="401"):
            anymail(simulator, server_token="wrong").send_messages([batch])
        assert len(simulator.taken) == 2
