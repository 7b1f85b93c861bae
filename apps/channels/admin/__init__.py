"""Pages about who carries messages: provider accounts, and the sandbox."""

from apps.channels.admin import accounts, sandbox

__all__ = ["accounts", "sandbox"]
