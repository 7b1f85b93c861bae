"""The pages of a marketer: templates, their drafts, what publishing says about them, their versions."""

from apps.templates.admin import pages, seed_lists

__all__ = ["pages", "seed_lists"]
