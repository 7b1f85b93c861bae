"""The whole of a marketer's work in a real browser, without a mouse: a file of people, a segment, a template, a campaign, somebody else's
approval, the launch, a pause, the results. Skipped where there is no browser. Pictures for docs/screens: walk_cast.py says how."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from apps.audience.imports import services as imports
from apps.audience.models import Import, Recipient, Segment
from apps.audience.picking import forget_counted
from apps.campaigns import tallying
from apps.campaigns.models import Approval, Campaign, Run
from apps.channels import registry, selectors
from apps.channels.services import create_account
from apps.core import clock
from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Outcome, Tenant
from apps.templates.models import Template, TemplateVersion
from apps.tenants import models as tenants
from apps.tenants.models import AuditEntry
from apps.tenants.roles import make_roles
from tests.integration import campaign_agreements_cast as agreements
from tests.integration import campaign_runs_cast as engine
from tests.integration import campaigns_live_cast as live
from tests.integration import imports_cast, roles_cast, templates_cast, walk_cast
from tests.integration.browser import Chromium, found
from tests.integration.dispatch_cast import rung as rung
from tests.integration.dispatch_cast import send
from tests.integration.walk_cast import Post, Walker

pytestmark = [
    pytest.mark.skipif(found() is None, reason="There is no Chromium or Chrome on this machine."),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("rung"),
    pytest.mark.timeout(300),
]
# those with three points or more are meant
PEOPLE, REACHED = 200, 191


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as one:
        one.call("Emulation.setFocusEmulationEnabled", enabled=True)
        yield one


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    taken = Post(2, Outcome(OutcomeKind.INVALID_ADDRESS, "5.1.1"))
    monkeypatch.setitem(registry._made, "sandbox", taken)  # type: ignore[arg-type]
    selectors.forget_cached()
    return taken


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Tenant:
    """With a rule that more than a hundred people need somebody else's approval, and a price."""
    monkeypatch.setattr(imports, "wake", lambda: None)
    make_roles()
    forget_counted()
    tenant = templates_cast.tenant()
    tenants.Tenant.objects.filter(id=tenant.id).update(tracked_categories=["marketing"])
    agreements.policy(tenant, approval_above_people=100, type_number_above=150)
    agreements.price("email", 900, 1_100, valid_from=clock.now() - timedelta(days=30))
    create_account(key=walk_cast.ACCOUNT, provider="sandbox", channel=Channel.EMAIL, sender="Acme <news@acme.example>")
    selectors.forget_cached()
    sample = {"ends": "Sunday", "$recipient": {"first_name": "Zoe"}}
    templates_cast.publish(tenant, "spring", *map(walk_cast.letter, walk_cast.LETTERS), sample=sample)
    return tenant


def test_from_the_file_to_the_results(
    browser: Chromium, acme: Tenant, live_server: Any, post: Post, tmp_path: Path
) -> None:
    mira, paul = roles_cast.staff("mira", marketer=(acme,)), roles_cast.staff("paul", approver=(acme,))
    walker = Walker(browser, str(live_server.url))
    walker.is_now(mira)
    imports_people(walker, acme, tmp_path)
    builds_a_segment(walker)
    edits_the_template(walker)
    campaign = composes(walker)
    asks(walker, campaign)
    walker.is_now(paul)
    approves(walker, campaign)
    walker.is_now(mira)
    run = launches(walker, campaign)
    watches(walker, campaign, run)
    reads_the_results(walker, run, post)
    looks_at_the_list(walker, acme)
    assert (browser.foreign, browser.errors) == ([], [])
    everything_is_in_the_log(walker, paul)


def imports_people(walker: Walker, acme: Tenant, folder: Path) -> None:
    file = folder / "people.csv"
    file.write_text(walk_cast.people_csv(PEOPLE))
    walker.goes(reverse("admin:audience_import_add"))
    walker.gives(file)
    walker.leaves("Upload", "Guessed by the names of the columns.")
    walker.looks("import-columns", is_shown=False)
    walker.leaves("Check the file", "people.csv")
    imports_cast.work()
    walker.sees("Write them")
    walker.looks("import")
    assert Recipient.objects.of(acme).count() == 0
    walker.leaves("Write them", "people.csv")
    imports_cast.work()
    walker.sees("Look at the people")
    assert [(one.state, one.created, one.refused) for one in Import.objects.of(acme)] == [("finished", PEOPLE, 3)]


def builds_a_segment(walker: Walker) -> None:
    walker.begins(reverse("admin:audience_segment_add"), "Who is meant", name="With points", key="points")
    walker.sees("200 people")
    walker.chooses('[aria-label="What is asked"]', "attributes.points")
    walker.chooses('[aria-label="How"]', "gte")
    walker.writes('.n-rule [aria-label="Number"]', "3")
    walker.sees("191 people")
    walker.presses("Add a rule")
    walker.chooses('.n-rule:nth-of-type(2) [aria-label="What is asked"]', "locale")
    walker.chooses('.n-rule:nth-of-type(2) [aria-label="How"]', "in")
    walker.writes(".n-rule:nth-of-type(2) input.n-value", "de, en, ar")
    walker.sees("191 people")
    walker.presses("Show examples", "u")
    walker.looks("segment")
    walker.leaves("Save", "Saved. What uses it")
    rules = [
        {"field": "attributes.points", "op": "gte", "value": 3},
        {"field": "locale", "op": "in", "value": ["de", "en", "ar"]},
    ]
    assert Segment.objects.all_tenants().get().rules == {"all": rules}


def edits_the_template(walker: Walker) -> None:
    row = Template.objects.get()
    walker.goes(reverse("admin:message_templates_template_change", args=[row.id]))
    walker.browser.wait_for("document.querySelector('[data-studio]').dataset.seen")
    walker.writes("[name=v0-subject]", "Spring begins today, {{ recipient.first_name | default: 'there' }}")
    head = "document.querySelector('[data-head]').textContent"
    walker.browser.wait_for(f"{head}.includes('Spring begins today, Zoe')")
    walker.browser.wait_for("document.querySelector('[data-state]').textContent.startsWith('Draft saved at')")
    walker.looks("template")
    walker.leaves("Save and publish", "version 2 is sent")
    assert TemplateVersion.objects.filter(template=row).exclude(published_at=None).count() == 2


def composes(walker: Walker) -> Campaign:
    walker.begins(reverse("admin:campaigns_campaign_add"), "Who gets it", name="Spring begins")
    row: Campaign = Campaign.objects.get()
    walker.ticks("#id_groups input")
    walker.sees("191 match")
    walker.looks("composer-audience")
    walker.leaves("Content", "What people see")
    walker.writes("#id_v0-template", "spring")
    walker.writes("#id_constants", '{"ends": "Sunday"}')
    walker.sees("Saved")
    walker.browser.wait_for("document.getElementById('summary').innerText.includes('spring')")
    walker.goes(page(row, "content"))
    walker.sees("Version 2 is what is sent.")
    walker.looks("composer-content")
    walker.leaves("Test and A/B", "Send a test")
    walker.writes("#id_holdout", "5")
    walker.sees("5 % get nothing")
    walker.looks("composer-test")
    walker.leaves("Schedule and delivery", "What that comes to")
    walker.ticks("#id_kind_1")
    morning = (clock.now() + timedelta(days=3)).strftime("%Y-%m-%dT09:00")
    walker.chooses("#id_start", morning)
    walker.chooses("#id_zone", "recipient")
    walker.chooses("#id_throttle", "60")
    walker.sees("Asia/Tokyo")
    walker.looks("composer-delivery")
    walker.ticks("#id_kind_0")
    walker.chooses("#id_throttle", "")
    walker.browser.wait_for("!document.getElementById('summary').innerText.includes('a minute')")
    walker.sees("as soon as it is launched")
    return row


def asks(walker: Walker, row: Campaign) -> None:
    walker.leaves("Review and launch", "Ask for an approval")
    walker.looks("composer-review")
    walker.writes("#note", "The colours are final.")
    walker.leaves("Ask for an approval", "Asked for an approval")
    assert status(row) == "in_review"
    walker.goes(reverse("admin:campaigns_approval_changelist"))
    walker.leaves("Spring begins", "Somebody with the right to approve campaigns decides.")


def approves(walker: Walker, row: Campaign) -> None:
    walker.goes(reverse("admin:campaigns_approval_changelist"))
    walker.looks("approvals", is_shown=False)
    walker.leaves("Spring begins", "How it reads")
    walker.looks("approval")
    walker.writes("#a-comment", "Lovely.")
    walker.leaves("Approve it for", "approved")
    assert status(row) == "approved"
    decided = Approval.objects.of(row.tenant_id).values_list("asked_by", "decided_by", "people")
    # a price of the whole installation counts for somebody who sees one tenant, too
    assert Approval.objects.of(row.tenant_id).get().cost_high > 150 * 1_100
    assert list(decided) == [("operator mira", "operator paul", REACHED)]


def launches(walker: Walker, row: Campaign) -> Run:
    walker.goes(page(row, "review"))
    walker.sees("Lovely.")
    walker.writes("#people-typed", "191")
    walker.leaves("Launch it now", "It is launched.")
    engine.begin()
    assert engine.expand(size=40, most=2) == [40, 40]
    while send("send.marketing.email"):
        pass
    return engine.run_of(row)


def watches(walker: Walker, row: Campaign, run: Run) -> None:
    live.make_due(run)
    tallying.tally_run(run.id, clock.now())
    walker.goes(reverse("admin:campaigns_run_change", args=[run.id]))
    walker.sees("of 191 people done")
    walker.looks("live")
    walker.leaves("Pause", "Paused: ")
    assert engine.status(row) == ("paused", "paused")
    assert engine.expand(size=40) == []
    walker.leaves("Resume", "It goes on.")
    assert engine.expand(size=1_000) != []
    while send("send.marketing.email"):
        pass


def reads_the_results(walker: Walker, run: Run, post: Post) -> None:
    walk_cast.answer(post)
    engine.settle()
    engine.settle()
    live.make_due(run)
    tallying.tally_run(run.id, clock.now())
    assert engine.run_of(Campaign.objects.get(id=run.campaign_id)).status == "finished"
    walker.goes(reverse("admin:campaigns_run_change", args=[run.id]))
    walker.sees("1. shop.example/spring")
    walker.looks("results")
    walker.reaches("CSV, addresses masked")
    text = walker.browser.evaluate("fetch(document.activeElement.href).then(answer => answer.text())")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    users = [row["user_id"] for row in rows]
    held_out = sum(wave.held_out for wave in engine.waves(run))
    assert len(users) == len(set(users)) == len(post.messages) == REACHED - held_out
    assert {row["status"] for row in rows} == {"delivered", "bounced", "failed"}
    assert not any("@example.com" in row["address"] and row["address"][1:4] != "***" for row in rows)


def looks_at_the_list(walker: Walker, acme: Tenant) -> None:
    for name, state in (("Summer sale", "draft"), ("Autumn letter", "in_review")):
        engine.campaign(acme, templates=(), name=name, status=state, mode="live")
    walker.goes(reverse("admin:campaigns_campaign_changelist"))
    walker.sees("191 of 191")
    walker.looks("campaigns")


def everything_is_in_the_log(walker: Walker, paul: Any) -> None:
    found = AuditEntry.objects.all_tenants().exclude(actor_kind="command").order_by("id")
    # the composer saves as often as somebody stops typing: how often is chance
    assert list(dict.fromkeys(found.values_list("actor", "kind", "action"))) == [
        ("operator mira", "audience.import", "add"),
        ("operator mira", "audience.import", "map"),
        ("operator mira", "audience.import", "start"),
        ("operator mira", "audience.segment", "add"),
        ("operator mira", "audience.segment", "change"),
        ("operator mira", "message_templates.template", "autosave"),
        ("operator mira", "message_templates.template", "change"),
        ("operator mira", "campaigns.campaign", "add"),
        ("operator mira", "campaigns.campaign", "change"),
        ("operator mira", "campaigns.campaign", "ask"),
        ("operator paul", "campaigns.approval", "decide"),
        ("operator mira", "campaigns.campaign", "launch"),
        ("operator mira", "campaigns.run", "operate"),
        ("operator mira", "campaigns.run", "download"),
    ]
    said = [one.partition(":")[0] for one in found.values_list("said", flat=True)]
    assert said[-5:-1] == ["Approved", "Launched.", "Paused", "It goes on."]
    assert said[-1].startswith("Downloaded the results with addresses masked")
    walker.is_now(paul)
    walker.goes(reverse("admin:tenants_auditentry_changelist"))
    walker.sees("operator mira")
    walker.looks("audit", is_shown=False)


def page(row: Campaign, tab: str) -> str:
    return f"{reverse('admin:campaigns_campaign_change', args=[row.id])}?tab={tab}"


def status(row: Campaign) -> str:
    row.refresh_from_db()
    return str(row.status)
