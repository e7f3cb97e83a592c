"""The graph: SUBJECTS names the files that declare it, build() makes the schema of them."""

from importlib import import_module

from hub.engine import catalog, types
from hub.engine.links import DECLARED, Declaration, declaration_of

SUBJECTS = (
    "customers",
    "contacts",
    "org",
    "products",
    "orders",
    "interactions",
    "scores",
)


def declarations() -> list[Declaration]:
    """Every row that a subject declares, in the order of the files."""
    modules = [import_module(f"{__name__}.{subject}") for subject in SUBJECTS]
    classes = (each for module in modules for each in vars(module).values() if isinstance(each, type))
    return [declaration_of(each) for each in classes if DECLARED in vars(each)]


def build() -> types.Graph:
    """The checked catalog and its GraphQL schema; raises DeclarationFault when a declaration cannot stand."""
    return types.build(catalog.build(declarations()))
