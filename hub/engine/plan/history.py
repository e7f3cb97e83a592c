"""Plans `history`: the changes of one row that the log keeps, each with what the row was before and after.

How connections are planned is objects.py's, how this one becomes SQL is past.py's."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

import sqlalchemy as sa
from graphql import FieldNode, SelectionSetNode
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import HISTORY, Row
from hub.engine.graphql_types.history_types import revision_of
from hub.engine.plan.arguments import Given, Leaf
from hub.engine.plan.context import Draft, refuse
from hub.engine.plan.list_nodes import Order
from hub.engine.plan.nodes import Constant, History, Image, Part, Revision, Shape, Splice, Variant
from hub.engine.plan.pagination import cursors, list_name, page_of
from hub.engine.plan.predicates import Run, Slot

Sets = Sequence[SelectionSetNode | None]
NodesOf = Callable[[Sets], tuple[Shape | Variant | Revision, Splice | None]]
ALWAYS = ("version", "updated_at")  # change with every change, so the log does not name them


class Selecting(Protocol):
    """What is needed of the planner of selections."""

    draft: Draft

    def at(self, key: str, node: FieldNode) -> AbstractContextManager[None]: ...

    def arguments(self, node: FieldNode, type_name: str) -> dict[str, Given]: ...

    def fields(self, sets: Sets, type_name: str) -> Mapping[str, list[FieldNode]]: ...

    def shape(self, row: Row, sets: Sets) -> tuple[Shape, Splice | None]: ...

    def parts(
        self, name: str, sets: Sets, nodes_of: NodesOf
    ) -> tuple[tuple[tuple[str, Part], ...], Splice | None, bool]: ...


def history(select: Selecting, row: Row, nodes: Sequence[FieldNode]) -> tuple[History, Splice | None]:
    """The plan of a row's history."""
    draft, given = select.draft, select.arguments(nodes[0], row.name)
    draft.timed = True  # that days of the log are dropped is no change
    name = list_name(f"{row.name}.{HISTORY}", (Order("id", "desc"),), None)
    page = page_of(draft, given, name, 1)
    sets = [node.selection_set for node in nodes]
    parts, splice, uses_cursors = select.parts(revision_of(row), sets, partial(_revision, select, row))
    since, until = (
        draft.value(scalars.DATETIME, part, argument) if isinstance(part := given.get(argument), Leaf) else None
        for argument in ("since", "until")
    )
    changed = _changed(draft, row, given.get("fields"))
    made = cursors(draft, name) if uses_cursors else None
    return History(row, changed, since, until, page, made, parts, draft.imaged), splice


def _revision(select: Selecting, row: Row, sets: Sets) -> tuple[Revision, Splice | None]:
    fields: list[tuple[str, Constant | str | Image]] = []
    deeper: list[tuple[str, Splice]] = []
    for key, nodes in select.fields(sets, revision_of(row)).items():
        name = nodes[0].name.value
        if name == "__typename":
            fields.append((key, Constant(revision_of(row))))
        elif name == "before" or name == "after":
            with select.at(key, nodes[0]), select.draft.looking_back():
                shape, splice = select.shape(row, [node.selection_set for node in nodes])
            fields.append((key, Image(name, shape)))
            deeper += [(key, splice)] if splice else []
        else:
            fields.append((key, name))
    return Revision(tuple(fields)), Splice(deeper=tuple(deeper)) if deeper else None


def _changed(draft: Draft, row: Row, given: Given) -> Slot | None:
    """The columns that one of the fields shows; raises FIELD_UNKNOWN for a field whose changes are not kept."""
    if not isinstance(given, Leaf):
        return None
    fetch = given.fetch
    columns = {column: field for column, field in row.shows.items() if column not in ALWAYS}

    def wanted(run: Run) -> list[Any]:
        fields = fetch(run.variables)
        for field in fields:
            if field not in columns.values():
                fault = f"{field[:60]!r} is no column of {row.name} nor a link by one of its columns; name one that is."
                refuse("FIELD_UNKNOWN", "fields", fault)
        return [column for column, field in columns.items() if field in fields]

    return draft.slot(ARRAY(sa.Text()), wanted)
