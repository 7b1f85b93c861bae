"""Provider accounts, their credentials and their end, sender domains, and the doors that providers call."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from django.conf import settings

from apps.channels import registry
from apps.channels import selectors as channels
from apps.channels.deadlines import Deadline
from apps.channels.domains import Grade, check_account
from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Account, Outcome
from apps.insights import expiring
from apps.insights.checkups.findings import Finding, Level, fail, ok, warn
from apps.insights.models import ReceiptNorm
from apps.tenants import selectors as tenants

PATIENCE = 5.0
AT_ONCE = 8
LEVELS: Mapping[Grade, Level] = {
    Grade.GOOD: "ok",
    Grade.WEAK: "warn",
    Grade.UNKNOWN: "warn",
    Grade.BROKEN: "fail",
}
BLAMELESS = frozenset({OutcomeKind.THROTTLED, OutcomeKind.TRANSIENT, OutcomeKind.PROVIDER_DOWN, OutcomeKind.AMBIGUOUS})


def accounts(now: datetime) -> Iterator[Finding]:
    """Each is asked at its provider, several at once."""
    found = channels.every_account()
    if not found:
        yield warn(
            "accounts",
            "There is no provider account: only test keys reach anything.",
            "Add one in the admin for each channel.",
        )
        return
    active = [account for account, is_on in found if is_on]
    for account, is_on in found:
        if not is_on:
            yield warn(
                f"account {account.key}", "It is off.", "See its reason in the admin, mend it, and switch it on."
            )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for account, answer in zip(active, pool.map(_asked, active), strict=True):
            yield _judged(account, answer)


def _asked(account: Account) -> Outcome | Exception | None:
    """A provider's file is imported here, so that one that cannot be does not end the check-up."""
    try:
        deadline = Deadline(PATIENCE, min(account.connect_timeout, PATIENCE), PATIENCE)
        return registry.provider(account.provider).check_credentials(account, deadline)
    except Exception as error:
        return error


def _judged(account: Account, answer: Outcome | Exception | None) -> Finding:
    about = f"account {account.key}"
    match answer:
        case None:
            return ok(about, f"On. {account.provider} cannot be asked about credentials without sending.")
        case Outcome(kind=OutcomeKind.ACCEPTED, detail=detail):
            return ok(about, f"{account.provider} knows us. {detail}".strip())
        case Outcome(kind=kind, code=code, detail=detail) if kind in BLAMELESS:
            return warn(about, f"{account.provider} could not be asked ({code}). {detail}".strip(), "Try again later.")
        case Outcome(code=code, detail=detail):
            return fail(
                about, f"{account.provider} refuses us ({code}).", detail or "Give it new credentials in the admin."
            )
        case error:
            return fail(
                about, f"The check failed: {type(error).__name__}: {error}", "Look at its settings in the admin."
            )


def senders(now: datetime) -> Iterator[Finding]:
    """SPF, DKIM and DMARC of the domains that mails come from: the accounts' own senders, or else the tenants'."""
    mails = [account for account, is_on in channels.every_account() if is_on and account.channel == Channel.EMAIL]
    tenants_own = sorted({tenant.email_from for tenant in tenants.tenants().values() if tenant.email_from})
    asked = [
        replace(account, sender=sender)
        for account in mails
        for sender in ((account.sender,) if account.sender else tenants_own)
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for account, found in zip(asked, pool.map(check_account, asked), strict=True):
            for one in found:
                fact = f"{one.check} for {account.key}: {one.fact}"
                yield Finding(LEVELS[one.grade], f"sender {one.name}", fact, one.fix)


def expiries(now: datetime) -> Iterator[Finding]:
    for key, last_day in expiring.expiries(now):
        about = f"credentials {key}"
        if last_day is None:
            yield fail(about, "The setting expires_on is not a date.", "Write it like 2027-03-01.")
            continue
        left = (last_day - now.date()).days
        if left < 0:
            yield fail(about, f"They ended {-left} days ago.", "Give the account new ones, and set expires_on anew.")
        elif left <= expiring.DAYS_AHEAD:
            yield warn(
                about, f"They end in {left} days.", "Give the account new ones in time, and set expires_on anew."
            )
        else:
            yield ok(about, f"They end in {left} days.")


def doors(now: datetime) -> Iterator[Finding]:
    """Whether providers reach us: the address that they are told, and which have never called."""
    reporting = [
        account
        for account, is_on in channels.every_account()
        if is_on and registry.provider(account.provider).has_receipts
    ]
    yield _address(bool(reporting))
    yield _reach()
    mute = set(ReceiptNorm.objects.filter(place="", missing__gte=1).values_list("account", flat=True))
    for account in reporting:
        if account.key in mute:
            said = "It has taken messages, and no receipt of it has ever come."
            fix = f"Enter {account.receipts_url} as webhook at {account.provider}, with the secret of the account."
            yield warn(f"receipts {account.key}", said, fix)


def _address(is_needed: bool) -> Finding:
    parts = urlsplit(settings.PUBLIC_URL)
    if parts.scheme == "https" and not _is_local(parts.hostname or ""):
        return ok("webhooks", f"Providers are told {settings.PUBLIC_URL}/v1/receipts/<account key>.")
    said = f"NOTIFIER_PUBLIC_URL is {settings.PUBLIC_URL}: no provider can call that, or not safely."
    fix = "Set it to the https address under which the world reaches this service."
    return (fail if is_needed else warn)("webhooks", said, fix)


def _reach() -> Finding:
    url = f"{settings.PUBLIC_URL}/healthz"
    try:
        with urlopen(url, timeout=PATIENCE) as answer:
            status = answer.status
    except HTTPError as error:
        status = error.code
    except (URLError, OSError) as error:
        said = f"{url} cannot be reached from here ({getattr(error, 'reason', error)})."
        return fail(
            "public url", said, "Start the web process, or mend the proxy, the name or the certificate in front of it."
        )
    if status == 200:
        return ok("public url", f"{url} answers.")
    return fail(
        "public url", f"{url} answers {status}.", "See that it leads to the web process, and that the database answers."
    )


def _is_local(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or "." not in host
