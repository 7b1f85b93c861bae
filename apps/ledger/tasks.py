"""The ledger's caretakers. Run twice, or by two workers at once, they do no harm."""

from celery import shared_task

from apps.core import clock
from apps.ledger import caretaking


@shared_task(name="ledger.keep_partitions")
def keep_partitions(**_: object) -> None:
    caretaking.keep_partitions(clock.now())


@shared_task(name="ledger.expire_seen_keys")
def expire_seen_keys(**_: object) -> None:
    caretaking.expire_seen_keys()
