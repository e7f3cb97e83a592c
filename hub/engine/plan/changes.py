"""Plans `changes`: which types are told, under which conditions, and what is told of each change.

A row's images in the log take the place of its table, so that filter, rights and columns are those of the change. Links
below are read as they are now, and every one is checked: the row above may long be somebody else's."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Row, shout
from hub.engine.graphql_types.subscription_types import MESSAGES, field_of
from hub.engine.plan.arguments import Given, Leaf, plain
from hub.engine.plan.context import leaf_of, refuse
from hub.engine.plan.filters import predicate
from hub.engine.plan.nodes import Changes, Either, Imaged, Listed, MessageFields, Read, Shape, Single, Splice
from hub.engine.plan.predicates import Run, Slot
from hub.engine.plan.selections import Selections

MOST_IDS = 100
SILENT = ("id", "created_at")  # columns that never change


def changes(select: Selections, sets: Sequence[Any], given: Mapping[str, Given]) -> tuple[Changes, Splice | None]:
    """The plan of a `changes` root with these selections and arguments."""
    rows = select.draft.catalog.rows
    told = given.get("filter")
    wanted = told if isinstance(told, dict) else {}
    select.draft.imaged = True
    messages = {name: _message(select, sets, name) for name in MESSAGES}
    nodes = [nodes for nodes in select.fields(sets, "Change").values() if nodes[0].name.value == "node"]
    named = _types(wanted)
    chosen = [row for row in rows.values() if named is None or row.entity in named]
    imaged: list[Imaged] = []
    splices: dict[str, Splice] = {}
    for row in chosen:
        below = [node.selection_set for each in nodes for node in each]
        if not nodes or select.fields(below, row.name):
            one, splice = _imaged(select, row, nodes, wanted)
            imaged.append(one)
            splices |= {row.name: splice} if splice else {}
    draft = select.draft
    columns = {each.row.name: each.row.shows for each in imaged}
    listed = Listed(
        operations=_texts(select, wanted, "operations"),
        keys=_keys(select, wanted),
        customer=_customer(select, wanted),
        changed={name: _changed(select, wanted, columns, name) for name in columns}
        if _has(wanted, "changedFields")
        else {},
        exclude_own=_known(wanted.get("excludeOwn")) is True,
    )
    draft.imaged = False
    splice = Splice(by_type=tuple((row.name, splices.get(row.name, Splice())) for row in chosen)) if splices else None
    return Changes(tuple(imaged), listed, messages), splice


def _has(given: Mapping[str, Given], name: str) -> bool:
    return given.get(name) is not None


def _known(given: Given) -> object:
    return given.known if isinstance(given, Leaf) else None


def _types(wanted: Mapping[str, Given]) -> set[object] | None:
    """The types that are told: those named, else those that have a filter of their own, else all."""
    types = wanted.get("types")
    if isinstance(types, list):
        return {_known(each) for each in types}
    own = {name for name, part in wanted.items() if isinstance(part, dict)}
    return {shout(name[0].upper() + name[1:]) for name in own} or None


def _message(select: Selections, sets: Sequence[Any], name: str) -> MessageFields:
    fields = select.fields(sets, name)
    return tuple((key, nodes[0].name.value) for key, nodes in fields.items())


def _imaged(
    select: Selections, row: Row, nodes: Sequence[Sequence[Any]], wanted: Mapping[str, Given]
) -> tuple[Imaged, Splice | None]:
    """One type: its object, its filter, and the columns whose change is worth telling; of several `node`s, each its own."""
    shapes: list[tuple[str, Shape]] = []
    deeper: list[tuple[str, Splice]] = []
    for each in nodes:
        key = (each[0].alias or each[0].name).value
        with select.at(key, each[0]):
            shape, splice = select.shape(row, [node.selection_set for node in each])
        shapes.append((key, shape))
        deeper += [(key, splice)] if splice else []
    name = field_of(row)
    where = predicate(select.draft, wanted.get(name), row, f"filter.{name}")
    made = Imaged(row, tuple(shapes), where, _watched([shape for _, shape in shapes]))
    return made, Splice(deeper=tuple(deeper)) if deeper else None


def _watched(shapes: Sequence[Shape]) -> tuple[str, ...] | None:
    """The columns that the selection shows; None when every change counts, since it shows the version, or no column."""
    found: set[str] = set()
    for shape in shapes:
        for _, part in shape.fields:
            match part:
                case Read(column):
                    found.add(column)
                case Single(join):
                    found.add(join.ours)
                case Either(choices):
                    found |= {choice.join.ours for choice in choices}
    found -= set(SILENT)
    return tuple(sorted(found)) if found and not found & {"version", "updated_at"} else None


def _texts(select: Selections, wanted: Mapping[str, Given], name: str) -> Slot | None:
    part = wanted.get(name)
    if part is None:
        return None
    leaf = leaf_of(part, f"filter.{name}", "FILTER_INVALID")
    return select.draft.slot(ARRAY(sa.Text()), lambda run: [plain(each) for each in leaf.fetch(run.variables)])


def _keys(select: Selections, wanted: Mapping[str, Given]) -> Slot | None:
    if not _has(wanted, "ids"):
        return None
    leaf = leaf_of(wanted["ids"], "filter.ids", "FILTER_INVALID")

    def keys(run: Run) -> list[Any]:
        ids = leaf.fetch(run.variables)
        if len(ids) > MOST_IDS:
            refuse("PAGE_LIMIT", "filter.ids", f"{len(ids)} ids are too many; give at most {MOST_IDS}.")
        return [scalars.parse_id(each, "filter.ids")[1] for each in ids]

    return select.draft.slot(ARRAY(sa.Uuid()), keys)


def _customer(select: Selections, wanted: Mapping[str, Given]) -> Slot | None:
    if not _has(wanted, "customerId"):
        return None
    leaf = leaf_of(wanted["customerId"], "filter.customerId", "FILTER_INVALID")
    return select.draft.key(leaf, select.draft.catalog.owner, "filter.customerId")


def _changed(
    select: Selections, wanted: Mapping[str, Given], columns: Mapping[str, Mapping[str, str]], name: str
) -> Slot:
    leaf = leaf_of(wanted["changedFields"], "filter.changedFields", "FILTER_INVALID")
    known = {field for each in columns.values() for field in each.values()}

    def of_row(run: Run) -> list[str]:
        fields = set(leaf.fetch(run.variables))
        for field in sorted(fields - known):
            refuse(
                "FILTER_INVALID", "filter.changedFields", f"{field[:60]!r} is a field of none of the types; name one."
            )
        return [column for column, field in columns[name].items() if field in fields]

    return select.draft.slot(ARRAY(sa.Text()), of_row)
