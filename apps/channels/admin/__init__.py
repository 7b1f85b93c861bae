"""Pages about who carries messages: provider accounts, what they ask for, and the sandbox."""

from apps.channels.admin import accounts, prices, sandbox

__all__ = ["accounts", "prices", "sandbox"]
