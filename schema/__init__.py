"""The graph: SUBJECTS names the files that declare it, build() makes the schema of them."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module

from hub.engine.catalog import catalog
from hub.engine.graphql_types import schema_builder
from hub.model.commands import Verb
from hub.model.declarations import DECLARED, Declaration, declaration_of

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


def _declared() -> Iterator[object]:
    for subject in SUBJECTS:
        yield from vars(import_module(f"{__name__}.{subject}")).values()


def declarations() -> list[Declaration]:
    """Every row that a subject declares, in the order of the files."""
    return [declaration_of(each) for each in _declared() if isinstance(each, type) and DECLARED in vars(each)]


def verbs() -> list[Verb]:
    """Every verb that a subject declares, in the order of the files."""
    return [each for each in _declared() if isinstance(each, Verb)]


@cache
def build() -> schema_builder.Graph:
    """The checked catalog and its GraphQL schema, never changed; raises DeclarationFault when a declaration cannot stand."""
    return schema_builder.build(catalog.build(declarations()), verbs())
