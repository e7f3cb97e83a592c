"""Roots without a table, such as `me`: rows and lists of the viewer, and values of the viewer itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa

from hub.rights import Binding

# The predicate of a row of the viewer's: the row, the time of the request, and what the viewer is bound to.
ViewerPredicate: TypeAlias = Callable[[sa.FromClause, sa.ColumnElement[Any], Binding], sa.ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class ViewerRow:
    """The row whose key is the viewer's `attribute`; without a name of its own it is that of the field and `_id`."""

    target: type[Any]
    description: str
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class ViewerList:
    """The rows that are the viewer's, of those that it sees; `reads` are the other entities that decide which are."""

    target: type[Any]
    description: str
    rows: ViewerPredicate
    reads: tuple[type[Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ViewerValue:
    """The viewer's `attribute`; without a name of its own it is that of the field."""

    type: Any
    description: str
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class ViewerObject:
    """Several values of the viewer under one field; `name` is its GraphQL type."""

    name: str
    description: str
    values: Mapping[str, ViewerValue]


@dataclass(frozen=True, slots=True)
class RootGroup:
    """A root of the query type that reads what the viewer says; `type_name` is its GraphQL type."""

    name: str
    type_name: str
    description: str
    parts: Mapping[str, ViewerRow | ViewerList | ViewerObject]


def viewer_row(target: type[Any], description: str, attribute: str = "") -> ViewerRow:
    """Declares a row that the viewer is or is bound to; it is read with the viewer's own permissions."""
    return ViewerRow(target, description, attribute)


def viewer_list(
    target: type[Any], description: str, rows: ViewerPredicate, *, reads: Sequence[type[Any]] = ()
) -> ViewerList:
    """Declares a list of rows that are the viewer's; hub/model/viewer_rows.py has the predicates."""
    return ViewerList(target, description, rows, tuple(reads))


def viewer_value(type: Any, description: str, attribute: str = "") -> ViewerValue:
    """Declares a value of the viewer: its Python type, and the attribute of the viewer if it bears another name."""
    return ViewerValue(type, description, attribute)


def viewer_object(name: str, description: str, /, **values: ViewerValue) -> ViewerObject:
    """Declares an object of the viewer's values; `name` is its GraphQL type."""
    return ViewerObject(name, description, values)


def root_group(
    name: str, type_name: str, description: str, /, **parts: ViewerRow | ViewerList | ViewerObject
) -> RootGroup:
    """Declares a root that is no entity; as a value of a module in MODULES it becomes a field of the query type."""
    return RootGroup(name, type_name, description, parts)
