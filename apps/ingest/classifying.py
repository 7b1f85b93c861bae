"""Which category a message has: its event type's, else the one that it names, else that of the prefix of its template, the most urgent
prefix first.

Critical passes over what people chose, so somebody has approved the event type, or the key may do it without (events/critical.py).
"""

from apps.core.enums import Category, Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller, EventType

PREFIXES: tuple[tuple[str, Category], ...] = (
    ("otp_", Category.CRITICAL),
    ("security_", Category.CRITICAL),
    ("transactional_", Category.TRANSACTIONAL),
    ("social_", Category.SOCIAL),
)


def category_of(
    caller: Caller, event_type: EventType | None, named: Category | None, template_key: str, pointer: str = ""
) -> Category:
    """Raises Problem: contradiction, critical_not_approved."""
    may_anyway = caller.may(Scope.NOTIFICATIONS_CRITICAL)
    if event_type is None:
        category = named or category_of_prefix(template_key)
        if category == Category.CRITICAL and not may_anyway:
            raise Problem(Code.CRITICAL_NOT_APPROVED, pointer=f"{pointer}/category")
        return category
    if named is None or named == event_type.category:
        return event_type.category
    if named == Category.CRITICAL and event_type.critical is not None:
        if may_anyway:
            return named
        detail = f"The event type `{event_type.key}` waits for its approval."
        raise Problem(Code.CRITICAL_NOT_APPROVED, detail, pointer=f"{pointer}/category")
    detail = f"The event type `{event_type.key}` has the category `{event_type.category}`."
    raise Problem(Code.CONTRADICTION, detail, pointer=f"{pointer}/category")


def category_of_prefix(template_key: str) -> Category:
    """Of the first prefix that fits; marketing, which waits behind all others, if none does."""
    return next((category for prefix, category in PREFIXES if template_key.startswith(prefix)), Category.MARKETING)
