"""Which input fields of mutations roles hide: columns that they may not write do not exist for them.

Whether they may run a mutation at all is checked when it runs."""

from collections.abc import Iterable, Sequence

from hub.engine.catalog.catalog import Catalog, CatalogEntity, camel_case
from hub.engine.graphql_types.hidden_members import HiddenMembers
from hub.model.writer import EntityWriter
from hub.rights import AccessRule, Rights, Verb

WRITES = (
    ("CreateInput", (Verb.CREATE,)),
    ("UpdateInput", (Verb.UPDATE,)),
    ("UpsertInput", (Verb.CREATE, Verb.UPDATE)),
)


def hide_inputs(hidden: HiddenMembers, whole: Catalog, narrowed: Catalog, rights: Rights) -> None:
    """Adds to `hidden` what these rights may not write in the mutations of rows, and not find a row by."""
    for entity in whole.entities.values():
        writer = entity.declaration.writer
        for suffix, verbs in WRITES:
            rules = _rules(rights, entity.name, verbs)
            if rules:
                columns = dict.fromkeys((*writer.creatable, *writer.updatable))
                hidden.members[f"{entity.name}{suffix}"].update(_unwritable(entity, writer, columns, rules))
        for name, nested in writer.nested.items():
            part = whole.target(nested.writer.entity)
            rules = _rules(rights, part.name, (Verb.CREATE,))
            if rules == ():
                for suffix in ("CreateInput", "UpsertInput"):
                    hidden.members[f"{entity.name}{suffix}"].add(camel_case(name))
            elif rules:
                columns = dict.fromkeys(nested.writer.creatable)
                names = _unwritable(part, nested.writer, columns, rules)
                hidden.members[f"{entity.name}{part.name}Input"].update(names)
        _hide_keys(hidden, entity, writer, narrowed)


def _rules(rights: Rights, entity: str, verbs: Sequence[Verb]) -> tuple[AccessRule, ...] | None:
    """The rules that grant one of the verbs; None where rows are written in full."""
    rules = [rights.rules(entity, verb) for verb in verbs]
    if any(part is None for part in rules):
        return None
    return tuple(dict.fromkeys(rule for part in rules for rule in part or ()))


def _unwritable(
    entity: CatalogEntity, writer: EntityWriter, columns: Iterable[str], rules: Sequence[AccessRule]
) -> Iterable[str]:
    """The API names of columns that no rule lets be written. Whose row it is can always be said."""
    parent = entity.declaration.entity.definition.parent
    of_row = {"customer_id", None if parent is None else parent.column_name}
    for column in columns:
        name = camel_case(column)
        if column not in of_row and not any(rule.may_write(name) for rule in rules):
            yield name


def _hide_keys(hidden: HiddenMembers, entity: CatalogEntity, writer: EntityWriter, narrowed: Catalog) -> None:
    """Hides the keys of upserts that cannot be filtered by: finding a row by them would tell what they are."""
    known = narrowed.entities.get(entity.name)
    if known is None:
        return
    keys = {camel_case(column) for column in writer.unique_keys}
    hidden.members[f"{entity.name}UpsertBy"].update(keys - set(known.filterable))
    tables = {part.table: part for part in narrowed.entities.values() if not part.aggregate_only}
    for name, alternate_key in writer.alternate_keys.items():
        usable = (
            column.table in tables and tables[column.table].is_usable(column.name) for column in alternate_key.compared
        )
        if not all(usable):
            hidden.members[f"{entity.name}UpsertBy"].add(camel_case(name))
