"""The graph: SUBJECTS lists the files that declare it, build() makes the schema of them."""

from types import ModuleType

from hub.engine import catalog, types
from hub.engine.links import Declaration, declaration_of
from schema import contacts, customers, interactions, orders, org, products, scores

SUBJECTS: tuple[ModuleType, ...] = (customers, contacts, org, products, orders, interactions, scores)


def declarations() -> list[Declaration]:
    """Every row that a subject declares, in the order of the files."""
    classes = (each for subject in SUBJECTS for each in vars(subject).values() if isinstance(each, type))
    return [declaration_of(each) for each in classes if "__row__" in vars(each)]


def build() -> types.Graph:
    """The checked catalog and its GraphQL schema; raises DeclarationFault when a declaration cannot stand."""
    return types.build(catalog.build(declarations()))
