"""What each role may do, cell by cell: written here once more, so that a slip in the table is seen."""

from pathlib import Path

import pytest

from apps.tenants.roles import Role, permissions_of

# marketer approver support operator developer
CELLS = """
    audience.add_import                             x . . . .
    audience.add_segment                            x . . . .
    audience.change_import                          x . . . .
    audience.change_segment                         x . . . .
    audience.delete_import                          x . . . .
    audience.delete_segment                         x . . . .
    audience.view_import                            x . . . .
    audience.view_recipient                         x . x x x
    audience.view_segment                           x x . . .
    campaigns.add_campaign                          x . . . .
    campaigns.add_policy                            . . . x .
    campaigns.approve_campaign                      . x . . .
    campaigns.break_glass                           . . . x .
    campaigns.change_campaign                       x . . . .
    campaigns.change_policy                         . . . x .
    campaigns.delete_campaign                       x . . . .
    campaigns.launch_campaign                       x . . . .
    campaigns.operate_campaign                      x . . x .
    campaigns.view_campaign                         x x . x .
    campaigns.view_policy                           x x . x .
    channels.add_price                              . . . x .
    channels.add_provideraccount                    . . . x .
    channels.change_price                           . . . x .
    channels.change_provideraccount                 . . . x .
    channels.delete_price                           . . . x .
    channels.delete_provideraccount                 . . . x .
    channels.view_price                             x x . x .
    channels.view_provideraccount                   . . . x .
    events.add_eventtype                            . . . . x
    events.approve_critical                         . . . x .
    events.change_eventtype                         . . . . x
    events.delete_eventtype                         . . . . x
    events.view_eventtype                           x x x x x
    inbox.view_inboxitem                            . . x . .
    insights.add_probe                              . . . x .
    insights.change_probe                           . . . x .
    insights.delete_probe                           . . . x .
    insights.view_fatigueday                        x . . x .
    insights.view_probe                             . . . x .
    insights.view_receiptnorm                       . . . x .
    ledger.change_deadletter                        . . . x .
    ledger.change_notification                      . . . x .
    ledger.view_deadletter                          . . . x .
    ledger.view_delivery                            x . x x x
    ledger.view_notification                        x . x x x
    message_templates.add_seedlist                  x . . . .
    message_templates.add_template                  x . . . x
    message_templates.change_seedlist               x . . . .
    message_templates.change_template               x . . . x
    message_templates.delete_seedlist               x . . . .
    message_templates.delete_template               x . . . x
    message_templates.publish_template              x . . . x
    message_templates.view_seedlist                 x . . . .
    message_templates.view_template                 x x . x x
    preferences.add_suppression                     . . . x .
    preferences.delete_suppression                  . . . x .
    preferences.view_consentrecord                  . . x . .
    preferences.view_defaultpreference              x . . x x
    preferences.view_frequencycap                   x . . x x
    preferences.view_mute                           . . x . .
    preferences.view_preference                     . . x . .
    preferences.view_profile                        . . x . .
    preferences.view_quiethoursrule                 x . . x x
    preferences.view_suppression                    . . x x .
    receipts.change_receiptcall                     . . . x .
    receipts.view_receiptcall                       . . . x .
    schedules.add_schedule                          . . . . x
    schedules.change_schedule                       . . . x x
    schedules.view_schedule                         . . . x x
    schedules.view_schedulerun                      . . . x x
    tenants.add_apikey                              . . . . x
    tenants.add_guest                               . . . . x
    tenants.change_apikey                           . . . . x
    tenants.change_guest                            . . . . x
    tenants.delete_guest                            . . . . x
    tenants.export_rows                             x . . x .
    tenants.see_unmasked                            x . . x x
    tenants.view_apikey                             . . . x x
    tenants.view_auditentry                         . x . x x
    tenants.view_guest                              . . . . x
    tenants.view_tenant                             x x x x x
    webhooks.add_webhookendpoint                    . . . . x
    webhooks.change_webhookendpoint                 . . . x x
    webhooks.view_webhookattempt                    . . . x x
    webhooks.view_webhookendpoint                   . . . x x
"""
ROWS = {line.split()[0]: line.split()[1:] for line in CELLS.strip().splitlines()}
COLUMNS = list(Role)


@pytest.mark.parametrize("permission", ROWS)
def test_each_cell_is_as_it_is_written(permission: str) -> None:
    assert [role for role in Role if permission in permissions_of(role)] == [
        role for role, cell in zip(COLUMNS, ROWS[permission], strict=True) if cell == "x"
    ]


def test_no_role_may_more() -> None:
    assert frozenset().union(*map(permissions_of, Role)) == ROWS.keys()


def test_support_takes_nothing_away_and_changes_nothing() -> None:
    may = permissions_of(Role.SUPPORT)
    assert {name.partition(".")[2].partition("_")[0] for name in may} == {"view"}
    assert may.isdisjoint({"tenants.see_unmasked", "tenants.export_rows"})


def test_nobody_writes_and_approves() -> None:
    for role in Role:
        both = (
            {"campaigns.change_campaign", "campaigns.approve_campaign"},
            {"events.change_eventtype", "events.approve_critical"},
        )
        assert not any(pair <= permissions_of(role) for pair in both), role


def test_no_role_makes_live_keys_roles_or_staff() -> None:
    for role in Role:
        may = permissions_of(role)
        assert "tenants.manage_live_keys" not in may
        assert not any(name.startswith("auth.") or name.endswith("_membership") for name in may)
        assert {name for name in may if name.endswith("_tenant")} == {"tenants.view_tenant"}


def test_every_role_says_what_it_is_for() -> None:
    assert all(role.sentence.endswith(".") for role in Role)


def test_the_documentation_shows_the_same_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "roles.md").read_text()
    shown = {line.split("`")[1]: line.count("| x ") for line in text.splitlines() if line.startswith("| `")}
    assert {name: sum(name in permissions_of(role) for role in Role) for name in ROWS} == shown
    assert all(f"| {role.value} | {role.sentence} |" in text for role in Role)
