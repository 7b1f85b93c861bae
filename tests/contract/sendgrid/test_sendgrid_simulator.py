"""The provider against the simulator; and the unmodified anymail backend against it, as the judge of the simulator."""

from dataclasses import replace
from email.utils import make_msgid

import pytest
from anymail.exceptions import AnymailAPIError, AnymailNotSupportedWarning
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from msgspec import structs

from apps.channels import transport
from apps.channels.deadlines import Deadline
from apps.core import clock
from apps.core.enums import EventKind, OutcomeKind
from apps.core.types import Account, Outcome
from tests.contract.sendgrid.test_sendgrid_provider import TestSendgrid as Case
from tests.simulators import running
from tests.simulators.sendgrid import SendgridSimulator

CASE = Case()


def account(simulator: SendgridSimulator, **changes: object) -> Account:
    made = replace(CASE.account(simulator.url), read_timeout=3.0, webhook_secrets=simulator.webhook_secrets)
    return replace(made, **changes)  # type: ignore[arg-type]


def checked(simulator: SendgridSimulator, **changes: object) -> Outcome:
    found = CASE.provider.check_credentials(account(simulator, **changes), Deadline(2.0, 1.0, 1.0))
    transport.close_connections()
    assert found
    return found


def anymail(simulator: SendgridSimulator, api_key: str) -> BaseEmailBackend:
    with pytest.warns(AnymailNotSupportedWarning):
        return get_connection("anymail.backends.sendgrid.EmailBackend", api_url=f"{simulator.url}/v3/", api_key=api_key)


def test_it_sends_and_reads_its_receipts() -> None:
    messages = CASE.messages(8)
    with running(SendgridSimulator()) as simulator:
        outcomes = CASE.provider.send(account(simulator), messages, deadline=5.0)
        transport.close_connections()
    assert [o.kind for o in outcomes] == [OutcomeKind.ACCEPTED] * 8
    taken = {one.reference: one for one in simulator.taken}
    assert {(m.reference, m.address, m.delivery) for m in messages} == {
        (one.reference, one.address, one.delivery) for one in taken.values()
    }
    assert [o.provider_message_id for o in outcomes] == [taken[m.reference].message_id for m in messages]
    assert len(simulator.requests) == 8
    one = replace(taken[messages[0].reference], receipts_to=CASE.url)
    for kind in EventKind:
        call = simulator.receipt(one, kind, clock.now().timestamp())
        if call:
            assert CASE.provider.verify(account(simulator), call, clock.now())
            (receipt,) = CASE.provider.parse_receipts(account(simulator), call)
            assert (receipt.kind, receipt.reference) == (kind, messages[0].reference)
            assert receipt.provider_message_id == one.message_id
            assert not CASE.provider.verify(account(simulator), simulator.forged(call), clock.now())


def test_one_bad_address_loses_nobody_else() -> None:
    good, bad, other = CASE.messages(3)
    with running(SendgridSimulator()) as simulator:
        outcomes = CASE.provider.send(
            account(simulator), [good, structs.replace(bad, address="rosa1@nowhere"), other], deadline=5.0
        )
        transport.close_connections()
    assert [o.kind for o in outcomes] == [OutcomeKind.ACCEPTED, OutcomeKind.INVALID_ADDRESS, OutcomeKind.ACCEPTED]
    assert "rosa" not in outcomes[1].detail
    assert {one.reference for one in simulator.taken} == {good.reference, other.reference}


def test_it_waits_as_long_as_it_is_told() -> None:
    with running(SendgridSimulator()) as simulator:
        simulator.behave(status=429)
        (outcome,) = CASE.provider.send(account(simulator), CASE.messages(1), deadline=5.0)
        transport.close_connections()
    assert outcome.kind == OutcomeKind.THROTTLED
    assert 4 < (outcome.retry_after or 0) <= 7


def test_it_asks_whether_the_key_may_send() -> None:
    with running(SendgridSimulator()) as simulator:
        assert checked(simulator).kind == OutcomeKind.ACCEPTED
        assert checked(simulator, credentials={"api_key": "SG.wrong"}).kind == OutcomeKind.MISCONFIGURED
        assert checked(simulator, base_url="not a url").kind == OutcomeKind.MISCONFIGURED
        assert checked(simulator, base_url="http://127.0.0.1:1").kind == OutcomeKind.PROVIDER_DOWN
    with running(SendgridSimulator("mail.batch.read")) as simulator:
        assert checked(simulator).code == "no_mail_send"
    assert simulator.taken == []


def test_the_unmodified_backend_takes_the_simulator_for_sendgrid() -> None:
    mails = [
        EmailMultiAlternatives(
            "Hello", "text", "hello@acme.test", [f"rosa{n}@example.com"], headers={"Message-ID": make_msgid()}
        )
        for n in range(3)
    ]
    mails[0].attach_alternative("<p>html</p>", "text/html")
    with running(SendgridSimulator()) as simulator:
        backend = anymail(simulator, simulator.credentials["api_key"])
        assert backend.send_messages(mails) == 3
        assert len(simulator.taken) == 3
        mails[0].from_email = "otto@elsewhere.test"
        with pytest.raises(AnymailAPIError, match="verified Sender Identity"):
            backend.send_messages(mails[:1])
        mails[1].to = [f"rosa{n}@example.com" for n in range(1001)]
        with pytest.raises(AnymailAPIError, match="maximum number of recipients"):
            backend.send_messages(mails[1:2])
        with pytest.raises(AnymailAPIError, match="401"):
            anymail(simulator, "SG.wrong").send_messages(mails[2:])
        assert len(simulator.taken) == 3
