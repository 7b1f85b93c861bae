"""Which category a message has when nobody says: by the prefix of its template, the most urgent prefix first.

An event type's own category and an explicit `category` come before this table.
"""

from apps.core.enums import Category

PREFIXES: tuple[tuple[str, Category], ...] = (
    ("otp_", Category.CRITICAL),
    ("security_", Category.CRITICAL),
    ("transactional_", Category.TRANSACTIONAL),
    ("social_", Category.SOCIAL),
)


def category_of(template_key: str) -> Category:
    """The category of the first prefix that fits; marketing, which waits behind all others, if none does."""
    return next((category for prefix, category in PREFIXES if template_key.startswith(prefix)), Category.MARKETING)
