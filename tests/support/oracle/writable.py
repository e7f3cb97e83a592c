"""What roles let a viewer write, by plain walks: the columns that an input may name, and those of one row before and after."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hub.engine.catalog.catalog import CatalogEntity
from hub.rights import Verb
from hub.text_case import camel_case
from hub.viewer import Viewer
from oracle.data import INSIDE_FIELDS, DataRecord
from oracle.past import VisiblePast
from oracle.roles import lets_write, rules_for


def is_readable(viewer: Viewer, entity: CatalogEntity, column: str) -> bool:
    """Whether a rule shows the column as it is, and it is for whoever asks. A link shows the column behind it."""
    if viewer.binding == "customer" and camel_case(column).removesuffix("Id") in INSIDE_FIELDS.get(entity.name, ()):
        return False
    if any(role.rules is None for role in viewer.all_roles):
        return True
    readers = (rule for rule in rules_for(viewer, entity, [Verb.READ]) if not rule.aggregate_only)
    return any(lets_write(replace(rule, writable=None), column) for rule in readers)


def of_whom(entity: CatalogEntity) -> set[str]:
    """The columns that say whose the row is, which every writer may name."""
    parent = entity.declaration.entity.definition.parent
    return {"customer_id"} | ({parent.column_name} if parent else set())


def writes_all(viewer: Viewer) -> bool:
    """Whether one of the roles lets every column be written."""
    return any(role.rules is None and role.writes for role in viewer.all_roles)


def input_names(viewer: Viewer, entity: CatalogEntity, columns: Iterable[str], verbs: Sequence[Verb]) -> set[str]:
    """The API names of the columns that an input for these verbs may have. Without a rule for them, reading counts."""
    inside = INSIDE_FIELDS.get(entity.name, set()) if viewer.binding == "customer" else set()
    rules = rules_for(viewer, entity, verbs)
    readers = [] if rules else [rule for rule in rules_for(viewer, entity, [Verb.READ]) if not rule.aggregate_only]
    reads_all = not rules and any(role.rules is None for role in viewer.all_roles)
    return {
        camel_case(column)
        for column in columns
        if writes_all(viewer)
        or reads_all
        or (column in of_whom(entity) and (rules or readers))
        or any(lets_write(rule, column) for rule in (*rules, *readers))
        if camel_case(column).removesuffix("Id") not in inside
    }


def runs(viewer: Viewer, root: str) -> bool:
    """Whether a role names the mutation or administers, so that rules of columns say nothing about it."""
    return any(role.administers or root in (role.run or ()) for role in viewer.all_roles)


def unwritable_columns(
    past: VisiblePast, entity: CatalogEntity, operation: str, columns: Iterable[str], images: Sequence[DataRecord]
) -> list[str]:
    """The columns, of those that a caller named, that no rule lets be written in a row; "row" for the row itself.

    The images are the row before and after, as far as there are both. As roles add up, one rule may let a row be written as
    it was, and another one as it becomes."""
    verb, viewer = Verb(operation.lower()), past.viewer
    rules = [
        rule
        for rule in rules_for(viewer, entity, [verb])
        if (verb is Verb.CREATE or Verb.READ in rule.verbs) and not rule.aggregate_only
    ]
    if writes_all(viewer):
        return []
    granting = [[rule for rule in rules if past.grants(rule, image)] for image in images]
    if not all(granting):
        return ["row"]
    named = set() if verb is Verb.DELETE else set(columns) - of_whom(entity)
    return sorted(name for name in named if not all(any(lets_write(r, name) for r in part) for part in granting))
