"""The provider against the simulator; and the unmodified anymail backend against it, as the judge of the simulator."""

from dataclasses import replace

import pytest
from anymail.exceptions import AnymailAPIError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from msgspec import structs

from apps.channels import transport
from apps.channels.deadlines import Deadline
from apps.core import clock
from apps.core.enums import EventKind, OutcomeKind
from apps.core.types import Account, Outcome
from tests.contract.mailgun.test_mailgun_provider import TestMailgun as Case
from tests.simulators import running
from tests.simulators.mailgun import MailgunSimulator

CASE = Case()


def account(simulator: MailgunSimulator, **changes: object) -> Account:
    made = replace(CASE.account(simulator.url), read_timeout=3.0, settings=simulator.settings)
    return replace(made, **changes)  # type: ignore[arg-type]


def checked(simulator: MailgunSimulator, **changes: object) -> Outcome | None:
    found = CASE.provider.check_credentials(account(simulator, **changes), Deadline(2.0, 1.0, 1.0))
    transport.close_connections()
    return found


def anymail(simulator: MailgunSimulator, **options: str) -> BaseEmailBackend:
    given = {"api_key": simulator.credentials["api_key"], **options}
    return get_connection("anymail.backends.mailgun.EmailBackend", api_url=f"{simulator.url}/v3", **given)


def test_it_sends_and_reads_its_receipts() -> None:
    messages = CASE.messages(8)
    with running(MailgunSimulator()) as simulator:
        outcomes = CASE.provider.send(account(simulator), messages, deadline=5.0)
        transport.close_connections()
    assert [o.kind for o in outcomes] == [OutcomeKind.ACCEPTED] * 8
    assert {(m.reference, m.address, m.delivery) for m in messages} == {
        (one.reference, one.address, one.delivery) for one in simulator.taken
    }
    assert [o.provider_message_id for o in outcomes] == [f"{m.delivery}@acme.test" for m in messages]
    assert len(simulator.requests) == 8
    one = replace(next(t for t in simulator.taken if t.reference == messages[0].reference), receipts_to=CASE.url)
    for kind in EventKind:
        call = simulator.receipt(one, kind, clock.now().timestamp())
        if call:
            assert CASE.provider.verify(account(simulator), call, clock.now())
            (receipt,) = CASE.provider.parse_receipts(account(simulator), call)
            assert (receipt.kind, receipt.reference) == (kind, messages[0].reference)
            assert receipt.provider_message_id == outcomes[0].provider_message_id
            assert not CASE.provider.verify(account(simulator), simulator.forged(call), clock.now())


def test_one_bad_address_loses_nobody_else() -> None:
    good, bad, other = CASE.messages(3)
    with running(MailgunSimulator()) as simulator:
        mails = [good, structs.replace(bad, address="rosa1@nowhere"), other]
        outcomes = CASE.provider.send(account(simulator), mails, deadline=5.0)
        transport.close_connections()
    assert [o.kind for o in outcomes] == [OutcomeKind.ACCEPTED, OutcomeKind.INVALID_ADDRESS, OutcomeKind.ACCEPTED]
    assert {one.reference for one in simulator.taken} == {good.reference, other.reference}


def test_it_asks_for_key_and_domain() -> None:
    with running(MailgunSimulator()) as simulator:
        kinds = [
            checked(simulator),
            checked(simulator, credentials={"api_key": "wrong"}),
            checked(simulator, settings={"domain": "other.test"}),
            checked(simulator, settings={"sending_key": True}),
        ]
    assert [found and found.kind for found in kinds] == [
        OutcomeKind.ACCEPTED,
        OutcomeKind.MISCONFIGURED,
        OutcomeKind.MISCONFIGURED,
        None,
    ]
    with running(MailgunSimulator("unverified")) as simulator:
        found = checked(simulator)
    assert found
    assert (found.kind, found.code) == (OutcomeKind.MISCONFIGURED, "domain_not_active")


def test_the_unmodified_backend_takes_the_simulator_for_mailgun() -> None:
    mail = EmailMultiAlternatives("Hello", "text", "hello@acme.test", ["rosa@example.com"])
    mail.attach_alternative("<p>html</p>", "text/html")
    with_file = EmailMultiAlternatives("Hello", "text", "hello@acme.test", ["bea@example.com"])
    with_file.attach("note.txt", "note", "text/plain")
    with running(MailgunSimulator()) as simulator:
        assert anymail(simulator).send_messages([mail, with_file]) == 2
        assert [one.address for one in simulator.taken] == ["rosa@example.com", "bea@example.com"]
        assert vars(mail)["anymail_status"].message_id == simulator.taken[0].message_id
        with pytest.raises(AnymailAPIError, match="Unknown sender domain"):
            anymail(simulator, sender_domain="other.test").send_messages([mail])
        with pytest.raises(AnymailAPIError, match="401"):
            anymail(simulator, api_key="wrong").send_messages([mail])
        mail.to = ["rosa@nowhere"]
        with pytest.raises(AnymailAPIError, match="'to' parameter is not a valid address"):
            anymail(simulator).send_messages([mail])
        assert len(simulator.taken) == 2
