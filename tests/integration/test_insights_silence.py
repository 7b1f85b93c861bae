"""Providers that take messages and say nothing more: noticed in time, never without cause, over when receipts return."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.audience.models import Endpoint
from apps.channels import health
from apps.channels.alerts import raise_alert
from apps.channels.models import Alert
from apps.core import clock, ids
from apps.core.enums import Channel
from apps.insights import silence, tasks
from apps.insights.models import ReceiptNorm
from apps.ledger.models import Attempt, Delivery, DeliveryEvent
from apps.receipts.models import ReceiptCall
from tests.integration.dispatch_cast import endpoint, notify, person, route, tenant
from tests.integration.dispatch_cast import rung as rung  # fixtures
from tests.integration.insights_cast import account, traffic

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
# days are alike, and partitions are there for this month
NOW = clock.now().replace(microsecond=0)


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What health was told."""
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(health, "distrust", lambda *said: told.append(("distrust", *said)))
    monkeypatch.setattr(health, "trust", lambda *said: told.append(("trust", *said)))
    return told


def learnt(key: str, now: datetime = NOW, *, share: float = 0.0, **more: Any) -> None:
    """A day of a message every 20 seconds."""
    traffic(key, now - timedelta(hours=23), now - timedelta(minutes=30), each=20, now=now, silent=share, **more)
    silence.learn(now)


def alerts() -> list[tuple[str, str, bool]]:
    rows = Alert.objects.all_tenants().order_by("id")
    return [(row.kind, row.subject, row.ended_at is None) for row in rows]


@pytest.mark.parametrize(
    ("channel", "address", "fields", "place"),
    [
        (Channel.EMAIL, "Rosa@Mail.Acme.test", {}, "mail.acme.test"),
        (Channel.SMS, "+4915112345678", {"masked": "+49*****78"}, "+49"),
        (Channel.PUSH, "token-1", {"platform": "ios"}, "ios"),
    ],
)
def test_routing_writes_where_a_message_goes(
    rung: list[str], channel: Channel, address: str, fields: dict[str, str], place: str
) -> None:
    rosa = person()
    row = endpoint(rosa, channel, address)
    Endpoint.objects.of(tenant()).filter(id=row).update(**{"masked": "x"} | fields)
    notify([rosa], channels=(channel,))
    route()
    assert Delivery.objects.all_tenants().get().place == place


def test_it_learns_how_receipts_come() -> None:
    key = account()
    learnt(key)
    whole, germany = ReceiptNorm.objects.order_by("place")
    assert (whole.account, whole.place, germany.place) == (key, "", "+49")
    assert whole.sample == germany.sample > 3_000
    assert 9.3 < whole.delay < 9.7
    assert whole.patience == pytest.approx(2 * whole.delay + 30)
    assert (whole.missing, germany.missing) == (0.0, 0.0)
    assert (whole.learnt_at, whole.silent_since) == (NOW, None)


def test_it_learns_each_place_and_what_is_usually_missing() -> None:
    key = account()
    learnt(key, share=0.2)
    traffic(key, NOW - timedelta(hours=20), NOW - timedelta(hours=10), each=30, now=NOW, place="+86", silent=1.0)
    traffic(key, NOW - timedelta(hours=20), NOW - timedelta(hours=19), each=90, now=NOW, place="+33")
    assert silence.learn(NOW) == 3
    norms = {norm.place: norm for norm in ReceiptNorm.objects.all()}
    assert set(norms) == {"", "+49", "+86"}
    assert 0.18 < norms["+49"].missing < 0.22
    assert (norms["+86"].missing, norms["+86"].delay) == (1.0, 0.0)


def test_it_learns_nothing_from_test_keys_or_those_who_never_report() -> None:
    key, mail = account(), account("acme-mail", provider="sandbox")
    traffic(key, NOW - timedelta(hours=20), NOW - timedelta(hours=10), each=60, now=NOW, mode="test")
    assert silence.learn(NOW) == 0
    assert mail not in ReceiptNorm.objects.values_list("account", flat=True)


def test_forty_percent_dropped_is_noticed_in_time(trusted: list[tuple[Any, ...]]) -> None:
    """The silent ban: a message every 2 seconds, 40 % of them dropped from `began` on, judged every minute."""
    key = account()
    began = NOW - timedelta(minutes=15)
    learnt(key)
    traffic(key, began - timedelta(minutes=15), began, each=2, now=NOW)
    traffic(key, began, NOW, each=2, now=NOW, silent=0.4)
    noticed = None
    for minute in range(1, 16):
        moment = began + MINUTE * minute
        watch_at(moment)
        if alerts() and noticed is None:
            noticed = minute
    assert noticed is not None and noticed <= 4
    assert alerts() == [("silent", key, True)]
    kind, subject, share, until = trusted[0]
    assert (kind, subject, until) == ("distrust", key, began + MINUTE * noticed + timedelta(minutes=10))
    assert 0.05 < share < 0.5
    assert "0% is usual" in Alert.objects.all_tenants().get().text
    assert {norm.silent_since is not None for norm in ReceiptNorm.objects.all()} == {True}


def watch_at(moment: datetime) -> None:
    """What is not yet at that moment is hidden: later rows are later than any window, receipts of later than `moment` have not come."""
    late = list(
        Delivery.objects.all_tenants().filter(delivered_at__gt=moment).values_list("id", "delivered_at", "ended_at")
    )
    Delivery.objects.all_tenants().filter(delivered_at__gt=moment).update(
        status="sent", delivered_at=None, ended_at=None
    )
    silence.watch(moment)
    for id_, delivered_at, ended_at in late:
        Delivery.objects.all_tenants().filter(id=id_).update(
            status="delivered", delivered_at=delivered_at, ended_at=ended_at
        )


def test_a_clean_hour_raises_no_alarm(trusted: list[tuple[Any, ...]]) -> None:
    key = account()
    learnt(key, share=0.03)
    start = NOW - timedelta(hours=1, minutes=20)
    traffic(key, start, NOW, each=2, now=NOW, silent=0.03, chance=random.Random(11))
    for minute in range(20, 81):
        silence.watch(start + MINUTE * minute)
    assert (alerts(), trusted) == ([], [])
    assert not ReceiptNorm.objects.exclude(silent_since=None).exists()


def test_what_is_young_is_not_judged(trusted: list[tuple[Any, ...]]) -> None:
    key = account()
    learnt(key)
    traffic(key, NOW - timedelta(seconds=45), NOW, each=0.2, now=NOW, silent=1.0)
    silence.watch(NOW)
    assert (alerts(), trusted) == ([], [])
    silence.watch(NOW + timedelta(seconds=30))
    assert alerts() == [("silent", key, True)]


@pytest.mark.parametrize(("kind", "is_silent"), [("deferred", False), ("soft_bounced", False), ("sent", True)])
def test_a_provider_that_says_it_still_tries_is_not_silent(kind: str, is_silent: bool) -> None:
    key = account()
    learnt(key)
    traffic(key, NOW - timedelta(minutes=12), NOW, each=2, now=NOW, silent=0.5)
    DeliveryEvent.objects.bulk_create(
        DeliveryEvent(
            id=ids.new(),
            tenant_id=row.tenant_id,
            notification_id=row.notification_id,
            delivery_id=row.id,
            kind=kind,
            at=NOW,
            source=key,
        )
        for row in Delivery.objects.all_tenants().filter(status="sent")
    )
    silence.watch(NOW)
    assert bool(alerts()) is is_silent


def test_one_silent_country_is_named() -> None:
    key = account()
    learnt(key)
    learnt(key, place="+33")
    traffic(key, NOW - timedelta(minutes=15), NOW, each=0.5, now=NOW)
    traffic(key, NOW - timedelta(minutes=15), NOW, each=10, now=NOW, place="+33", silent=0.5)
    silence.watch(NOW)
    alert = Alert.objects.all_tenants().get()
    assert " messages to +33 and says nothing more of " in alert.text
    assert list(ReceiptNorm.objects.exclude(silent_since=None).values_list("place", flat=True)) == ["+33"]


def test_it_is_over_when_receipts_return(trusted: list[tuple[Any, ...]]) -> None:
    key = account()
    then = NOW - timedelta(hours=1)
    learnt(key, then)
    traffic(key, then - timedelta(minutes=12), then, each=2, now=then, silent=0.5)
    silence.watch(then)
    assert alerts() == [("silent", key, True)]
    silence.watch(NOW)
    assert alerts() == [("silent", key, True)]  # nothing was sent since: nobody knows
    traffic(key, NOW - timedelta(minutes=12), NOW, each=2, now=NOW)
    silence.watch(NOW)
    assert alerts() == [("silent", key, False)]
    assert trusted[-1] == ("trust", key)
    assert not ReceiptNorm.objects.exclude(silent_since=None).exists()


def test_a_silence_of_which_nobody_knows_for_a_day_is_forgotten(trusted: list[tuple[Any, ...]]) -> None:
    key = account()
    then = NOW - timedelta(hours=25)
    learnt(key, NOW - timedelta(hours=26))
    ReceiptNorm.objects.update(silent_since=then)
    raise_alert(kind="silent", subject=key, text="It was silent.")
    silence.watch(then + timedelta(hours=23))
    assert alerts() == [("silent", key, True)]
    silence.watch(NOW)
    assert (alerts(), trusted) == ([("silent", key, False)], [("trust", key)])


def test_what_is_not_settled_is_not_learnt_from() -> None:
    key = account()
    traffic(key, NOW - timedelta(minutes=19), NOW - timedelta(minutes=1), each=5, now=NOW)
    assert silence.learn(NOW) == 0
    assert silence.learn(NOW, settled=timedelta(minutes=1)) == 2


def test_norms_of_accounts_that_are_gone_go(trusted: list[tuple[Any, ...]]) -> None:
    key = account()
    learnt(key)
    ReceiptNorm.objects.update(account="gone", learnt_at=NOW - timedelta(hours=25))
    assert silence.learn(NOW) == 2
    assert set(ReceiptNorm.objects.values_list("account", flat=True)) == {key}


def test_nothing_is_learnt_from_silence() -> None:
    key = account()
    learnt(key)
    traffic(key, NOW - timedelta(minutes=15), NOW, each=2, now=NOW, silent=0.9)
    silence.watch(NOW)
    before = list(ReceiptNorm.objects.order_by("id").values())
    assert silence.learn(NOW + timedelta(minutes=30)) == 0
    assert list(ReceiptNorm.objects.order_by("id").values()) == before


def test_it_does_not_judge_while_receipts_wait_to_be_applied(trusted: list[tuple[Any, ...]]) -> None:
    key = account()
    learnt(key)
    traffic(key, NOW - timedelta(minutes=15), NOW, each=2, now=NOW, silent=1.0)
    ReceiptCall.objects.create(account_id=ids.new(), provider="sandbox", sealed=b"", due_at=NOW - timedelta(seconds=61))
    silence.watch(NOW)
    assert (alerts(), trusted) == ([], [])
    ReceiptCall.objects.update(applied_at=NOW)
    silence.watch(NOW)
    assert alerts() == [("silent", key, True)]


def test_accounts_without_receipts_are_left_out() -> None:
    from apps.channels.services import create_account
    from apps.core.enums import Channel

    create_account(key="mail", provider="smtp", channel=Channel.EMAIL)
    account("acme-sms")
    assert silence._reporting_accounts() == ["acme-sms"]


def test_the_tasks_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(tasks.silence, "watch", lambda now: told.append("watch"))
    monkeypatch.setattr(tasks.silence, "learn", lambda now: told.append("learn"))
    tasks.watch_receipts()
    tasks.learn_receipts()
    assert told == ["watch", "learn"]
    assert Attempt.objects.all_tenants().count() == 0
