"""Which input fields of mutations roles hide: columns that they may neither write nor read do not exist for them.

Whether they may run a mutation at all is checked when it runs. One of a type that roles do not know does not exist."""

from collections.abc import Iterable, Mapping, Sequence

from hub.engine.catalog.catalog import Catalog, CatalogEntity, camel_case
from hub.engine.graphql_types.hidden_members import HiddenMembers
from hub.engine.graphql_types.mutation_types import MutationField
from hub.model.writer import EntityWriter
from hub.rights import AccessRule, Rights, Verb

WRITES = (
    ("CreateInput", (Verb.CREATE,)),
    ("UpdateInput", (Verb.UPDATE,)),
    ("UpsertInput", (Verb.CREATE, Verb.UPDATE)),
)
WRITE_VERBS = (Verb.CREATE, Verb.UPDATE, Verb.DELETE)


def hide_inputs(
    hidden: HiddenMembers, whole: Catalog, narrowed: Catalog, mutations: Mapping[str, MutationField], rights: Rights
) -> None:
    """Adds to `hidden` what these rights may not name in the mutations of rows and in commands, and not find a row by."""
    for entity in whole.entities.values():
        writer = entity.declaration.writer
        columns = dict.fromkeys((*writer.creatable, *writer.updatable))
        for suffix, verbs in WRITES:
            rules = _rules(rights, entity.name, verbs)
            rules = _readers(rights, entity.name) if rules == () else rules
            if rules is not None:
                hidden.members[f"{entity.name}{suffix}"].update(_unwritable(entity, writer, columns, rules))
            hidden.members[f"{entity.name}{suffix}"].update(_inside(whole, entity, columns, rights))
        if _rules(rights, entity.name, (Verb.READ, *WRITE_VERBS)) == ():
            hidden.types.update(f"{entity.name}{suffix}" for suffix in (*(name for name, _ in WRITES), "DeleteInput"))
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
    for mutation in mutations.values():
        if mutation.is_command and not mutation.is_bulk:
            _hide_parameters(hidden, whole, mutation, rights)


def _rules(rights: Rights, entity: str, verbs: Sequence[Verb]) -> tuple[AccessRule, ...] | None:
    """The rules that grant one of the verbs; None where rows are written in full."""
    rules = [rights.rules(entity, verb) for verb in verbs]
    if any(part is None for part in rules):
        return None
    return tuple(dict.fromkeys(rule for part in rules for rule in part or ()))


def _readers(rights: Rights, entity: str) -> tuple[AccessRule, ...] | None:
    """The rules whose fields a viewer knows that may not write: those that show rows. None for all fields."""
    rules = rights.rules(entity)
    return None if rules is None else tuple(rule for rule in rules if not rule.aggregate_only)


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


def _inside(whole: Catalog, entity: CatalogEntity, columns: Iterable[str], rights: Rights) -> Iterable[str]:
    """The API names of columns that are not for the customer, where its own viewer asks."""
    inside = whole.inside.get(entity.name, frozenset()) if rights.binding == "customer" else frozenset()
    return (name for name in map(camel_case, columns) if not inside.isdisjoint({name, name.removesuffix("Id")}))


def _hide_parameters(hidden: HiddenMembers, whole: Catalog, mutation: MutationField, rights: Rights) -> None:
    """Hides parameters that are columns of the row which a command gives, if they are neither written nor read.

    A role that names the command may write whatever it writes; who administers needs no rules for keys and roles."""
    for entity in {field.entity.name: field.entity for field in mutation.payload if field.entity is not None}.values():
        columns = [field.key for field in mutation.input.fields if field.key in entity.table.c and field.key != "id"]
        hidden.members[mutation.input.name].update(_inside(whole, entity, columns, rights))
        writers, readers = _rules(rights, entity.name, (Verb.CREATE, Verb.UPDATE)), _readers(rights, entity.name)
        is_free = any(role.administers or mutation.name in (role.run or ()) for role in rights.roles)
        if writers is not None and readers is not None and not is_free:
            hidden.members[mutation.input.name].update(
                name
                for name in _unwritable(entity, entity.declaration.writer, columns, writers)
                if not any(rule.shows(shown) for rule in readers for shown in (name, name.removesuffix("Id")))
            )


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
