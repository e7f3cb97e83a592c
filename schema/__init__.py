"""The graph: SUBJECTS names the files that declare it, build() makes the schema of them."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module

from hub.engine.catalog import catalog
from hub.engine.graphql_types import schema_builder
from hub.model.commands import Command
from hub.model.declarations import DECLARATION_ATTR, Declaration, declaration_of

SUBJECTS = (
    "customers",
    "contacts",
    "org",
    "products",
    "orders",
    "interactions",
    "scores",
    "consents",
    "identity",
    "webhooks",
)


def _module_values() -> Iterator[object]:
    for subject in SUBJECTS:
        yield from vars(import_module(f"{__name__}.{subject}")).values()


def declarations() -> list[Declaration]:
    """Every row that a subject declares, in the order of the files."""
    return [
        declaration_of(value)
        for value in _module_values()
        if isinstance(value, type) and DECLARATION_ATTR in vars(value)
    ]


def commands() -> list[Command]:
    """Every verb that a subject declares, in the order of the files."""
    return [value for value in _module_values() if isinstance(value, Command)]


@cache
def build() -> schema_builder.Schema:
    """The checked catalog and its GraphQL schema, never changed; raises DeclarationFault when a declaration cannot stand."""
    return schema_builder.build_schema(catalog.build_catalog(declarations()), commands())
