"""All of a run as a file: in pages, masked, without formulas, for who may take it away."""

import csv

import pytest
from django.test import Client

from apps.audience.models import Recipient
from apps.campaigns import exporting
from apps.campaigns.models import Run
from tests.integration import admin_cast, dispatch_cast
from tests.integration import campaigns_live_cast as cast
from tests.integration.admin_fixtures import mira as mira
from tests.integration.dispatch_cast import rung as rung
from tests.integration.statements import counted
from tests.integration.test_campaigns_live import url
from tests.integration.test_campaigns_results import seeded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]


def lines(client: Client, run: Run, **query: str) -> list[list[str]]:

    answer = client.get(url(run, "export"), query)
    assert answer.status_code == 200
    body = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.reader(body.splitlines()))


def test_all_of_it_is_a_file_with_masked_addresses(mira: Client) -> None:
    owner = dispatch_cast.tenant()
    rosa = dispatch_cast.person("=cmd()")
    at = dispatch_cast.endpoint(rosa, address="rosa@acme.test")
    run = cast.run_of(size=2)
    cast.said(run, to=rosa, endpoint_id=at)
    gone = cast.said(run, "skipped", "no_endpoint", variant=1)

    Recipient.objects.of(owner).filter(id=gone.recipient).delete()
    head, *rows = lines(mira, run)
    assert head[:6] == ["user_id", "address", "channel", "variant", "status", "reason"]
    assert sorted(row[:6] for row in rows) == [
        ["'=cmd()", "r***@acme.test", "email", "A", "delivered", ""],
        ["forgotten", "", "email", "B", "skipped", "no_endpoint"],
    ]
    clear = lines(mira, run, addresses="clear")
    assert [row[1] for row in clear[1:] if row[1]] == ["rosa@acme.test"]
    vera = admin_cast.viewer("campaigns.view_campaign", "audience.view_recipient", "tenants.export_rows")
    assert [row[1] for row in lines(vera, run)[1:] if row[1]] == ["r***@acme.test"]
    assert vera.get(url(run, "export"), {"addresses": "clear"}).status_code == 403


def test_a_file_needs_a_permission_of_its_own() -> None:
    run = seeded()
    vera = admin_cast.viewer("campaigns.view_campaign", "audience.view_recipient")
    assert vera.get(url(run, "who")).status_code == 200
    assert vera.get(url(run, "export")).status_code == 403
    assert "/export/" not in vera.get(url(run)).content.decode()


def test_a_file_is_made_in_pages(mira: Client, monkeypatch: pytest.MonkeyPatch) -> None:

    run = seeded()
    monkeypatch.setattr(exporting, "SIZE", 10)
    with counted() as seen:
        rows = lines(mira, run)
    assert len(rows) == 45
    assert len({row[-1] for row in rows[1:]}) == 44
    # the first counts them, for the log
    assert sum("FROM ledger_delivery" in sql for sql in seen) == 6
