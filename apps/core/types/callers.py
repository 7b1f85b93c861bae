"""Who calls."""

from dataclasses import dataclass
from uuid import UUID

from apps.core.enums import KeyMode, Scope


@dataclass(frozen=True, slots=True)
class Tenant:
    """`tracked_categories`: of whose mails links and opens are tracked."""

    id: UUID
    slug: str
    name: str
    locale: str
    timezone: str
    email_from: str
    weight: int
    rate_per_second: int
    rate_burst: int
    retention_days: int
    tracked_categories: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: what an API key authenticates to. `request.user` of the API. `key_id`: None for a schedule that an operator made."""

    tenant: Tenant
    key_id: UUID | None
    key_name: str
    mode: KeyMode
    scopes: frozenset[Scope]
    requires_idempotency_key: bool
    rate_per_second: int
    rate_burst: int

    is_authenticated = True

    def may(self, scope: Scope) -> bool:
        """`admin` includes every scope but critical, which somebody gives by name."""
        is_included = Scope.ADMIN in self.scopes and scope != Scope.NOTIFICATIONS_CRITICAL
        return scope in self.scopes or is_included
