"""List filters: one column, one of a closed set of words."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

if TYPE_CHECKING:
    DropdownFilter = SimpleListFilter
else:
    from unfold.contrib.filters.admin import DropdownFilter

__all__ = ["DropdownFilter", "one_of", "states"]


def one_of(column: str, words: Iterable[str], *, title: str = "") -> type[SimpleListFilter]:
    """`words`: the values the column may have, usually an enum."""
    said = [(str(word), str(word).replace("_", " ")) for word in words]
    return states(column, {value: (text, Q(**{column: value})) for value, text in said}, title=title)


def states(name: str, conditions: dict[str, tuple[str, Q]], *, title: str = "") -> type[SimpleListFilter]:
    """`conditions`: value in the address -> what it is called, and what rows must be."""

    class Filter(DropdownFilter):
        parameter_name = name

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, text) for value, (text, _) in conditions.items()]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            chosen = conditions.get(self.value() or "")
            return queryset if chosen is None else queryset.filter(chosen[1])

    Filter.title = title or name.replace("_", " ")
    return Filter
