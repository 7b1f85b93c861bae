"""Telling operators, once for each trouble, and that it is over."""

import logging
from datetime import datetime

log = logging.getLogger(__name__)


def tell(kind: str, subject: str, sentence: str, now: datetime) -> None:
    """`kind` and `subject` make the trouble: said again it changes nothing."""
    log.warning("alert", extra={"kind": kind, "subject": subject, "said": sentence})


def resolve(kind: str, subject: str, now: datetime) -> None:
    """It is over, if it was there."""


def distrust(account: str, share: float, until: datetime) -> None:
    """`share` of what the account takes is missing: it gets less until then."""
    log.warning("account distrusted", extra={"account": account, "share": round(share, 2)})


def trust(account: str) -> None:
    log.info("account trusted again", extra={"account": account})
