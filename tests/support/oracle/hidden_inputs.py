"""Documents that name a column that a viewer may not name in the input of a mutation; hidden_names.py has those of queries.

Each comes with its twin, which has a name that no column bears in the same place. None could be carried out."""

from collections.abc import Iterable, Iterator, Mapping

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.graphql_types.mutation_types import MutationField
from hub.rights import Verb
from hub.text_case import camel_case
from hub.viewer import Viewer
from oracle.executor import Oracle
from oracle.hidden_names import FIELD, UNKNOWN, NamingDocument
from oracle.writable import input_names, is_readable, of_whom, runs

ABSENT = "0" * 32
CREATE, UPDATE = (Verb.CREATE,), (Verb.UPDATE,)


def hidden_input_documents(oracle: Oracle, viewer: Viewer) -> Iterator[NamingDocument]:
    """The documents of all columns that the viewer may name in no input of their type."""
    for entity in oracle.graph.catalog.entities.values():
        writer, name = entity.declaration.writer, entity.declaration.singular
        row_id = f"{entity.declaration.prefix}_{ABSENT}"
        by = f'by: {{id: "{row_id}"}}, {FIELD}: null'
        operations = entity.declaration.entity.definition.operations()
        if "create" in operations:
            yield from _documents(viewer, entity, writer.creatable, CREATE, [f"{name}Create", f"{FIELD}: null"])
            if writer.unique_keys or writer.alternate_keys:
                yield from _documents(viewer, entity, writer.creatable, (*CREATE, *UPDATE), [f"{name}Upsert", by])
        if "update" in operations:
            text = f'id: "{row_id}", {FIELD}: null'
            yield from _documents(viewer, entity, writer.updatable, UPDATE, [f"{name}Update", text])
        for part, nested in writer.nested.items():
            target = oracle.graph.catalog.target(nested.writer.entity)
            columns = [column for column in nested.writer.creatable if column != nested.parent_column]
            text = f"{camel_case(part)}: [{{{FIELD}: null}}]"
            yield from _documents(viewer, target, columns, CREATE, [f"{name}Create", text])
    yield from _commands(oracle.graph.mutations, viewer)


def _commands(mutations: Mapping[str, MutationField], viewer: Viewer) -> Iterator[NamingDocument]:
    """Documents that name a column of the row that a command gives, unless a role lets the command write whatever it does."""
    for name, mutation in mutations.items():
        entities = {field.entity.name: field.entity for field in mutation.payload if field.entity is not None}
        if mutation.is_command and not mutation.is_bulk and not runs(viewer, name):
            for entity in entities.values():
                columns = [
                    part.key for part in mutation.input.fields if part.key in entity.table.c and part.key != "id"
                ]
                hidden = [column for column in columns if not is_readable(viewer, entity, column)]
                yield from _documents(viewer, entity, hidden, (*CREATE, *UPDATE), [name, f"{FIELD}: null"])


def _documents(
    viewer: Viewer, entity: CatalogEntity, columns: Iterable[str], verbs: Iterable[Verb], parts: list[str]
) -> Iterator[NamingDocument]:
    """The documents of one mutation: its root, and its input with the column's place."""
    columns = [column for column in columns if column not in of_whom(entity)]
    root, value = parts
    for name in sorted(set(map(camel_case, columns)) - input_names(viewer, entity, columns, tuple(verbs))):
        query = f"mutation {{ {root}(input: {{{value}}}) {{ __typename }} }}"
        yield NamingDocument(query.replace(FIELD, name), query.replace(FIELD, UNKNOWN), frozenset((name, UNKNOWN)))
