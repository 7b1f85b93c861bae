"""What a careful colleague would say about a message before it is published: pure, from the source, with the place of each remark."""

from apps.templates.linting.findings import Finding, Severity
from apps.templates.linting.rules import lint

__all__ = ["Finding", "Severity", "lint"]
