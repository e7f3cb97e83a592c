"""The graph: SUBJECTS names the files that declare it, build() makes the schema of them."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module

from hub.engine import catalog, types
from hub.engine.links import DECLARED, Declaration, declaration_of
from hub.engine.writes import Verb

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
def build() -> types.Graph:
    """The checked catalog and its GraphQL schema, never changed; raises DeclarationFault when a declaration cannot stand."""
    return types.build(catalog.build(declarations()), verbs())
