"""What carries the demo's texts: an account of its own at the sandbox, so that a campaign that is no test has a price. Nothing leaves the
machine by it either."""

from django.conf import settings

from apps.channels.selectors import account_by_key
from apps.channels.services import create_account, update_account
from apps.core.enums import Channel
from apps.core.types import Tenant

KEY = "demo-sms"


def open_account(tenant: Tenant) -> bool:
    """True when it is new. Where the sandbox listens, and its secret, may be others than last time. Without a secret there is none."""
    url, secret = settings.SANDBOX_URL, settings.SANDBOX_SECRET
    known = account_by_key(KEY)
    if known is None and secret:
        create_account(
            key=KEY,
            provider="sandbox",
            channel=Channel.SMS,
            tenant_id=tenant.id,
            base_url=url,
            credentials={"secret": secret},
            webhook_secrets=(secret,),
        )
        return True
    if known is not None and (known.base_url, known.credentials.get("secret")) != (url, secret):
        update_account(known.id, base_url=url, credentials={"secret": secret}, webhook_secrets=(secret,))
    return False
