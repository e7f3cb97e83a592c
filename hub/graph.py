"""The graph: joins the declarations and the rules of the domain, and builds the catalog and the GraphQL schema from them."""

import pkgutil
from dataclasses import replace
from functools import cache
from importlib import import_module

from hub import domain, schema
from hub.engine.catalog.build import build_catalog
from hub.engine.catalog.customer_columns import open_columns
from hub.engine.graphql_types.schema_builder import Schema, build_schema
from hub.engine.plan.row_filters import rights_filters
from hub.engine.roles.segment_filters import SegmentFilterPlanner
from hub.engine.roles.stored_filters import StoredFilterPlanner
from hub.engine.sql.row_filters import RowFilterCompiler
from hub.model import personal, scopes
from hub.model.commands import Command, registered_commands
from hub.model.declare import Declaration, declare
from hub.model.move_commands import move_commands
from hub.model.personal import RegistryEntry
from hub.model.segment_filters import SegmentFilters
from hub.model.stored_filters import StoredFilters


@cache
def _load_rules() -> tuple[str, ...]:
    """Imports every module of hub.domain, which registers rules and commands; returns their names in the order of the schema."""
    declared = [module.partition(".")[0] for module in schema.MODULES]
    contexts = [context.name for context in pkgutil.iter_modules(domain.__path__)]
    ordered = [context for context in dict.fromkeys((*declared, *contexts)) if context in contexts]
    packages = [import_module(f"{domain.__name__}.{context}") for context in ordered]
    modules = [f"{package.__name__}.{m.name}" for package in packages for m in pkgutil.iter_modules(package.__path__)]
    for module in modules:
        import_module(module)
    return tuple(modules)


@cache
def declarations() -> tuple[Declaration, ...]:
    """Every entity as the engine reads it; raises InvalidDeclaration for one that lacks a rule."""
    _load_rules()
    return declare(schema.entities())


def personal_data() -> list[RegistryEntry]:
    """What every stored column holds of persons, by table."""
    tables = sorted((declaration.table for declaration in declarations()), key=lambda table: table.name)
    return [*(entry for table in tables for entry in personal.entries(table)), *personal.entries_of_other_tables()]


def commands() -> list[Command]:
    """The moves of workflows, and the commands that the domain registers."""
    modules = _load_rules()
    registered = [command for command in registered_commands() if command.function.__module__ in modules]
    registered.sort(key=lambda command: modules.index(command.function.__module__))
    return [*move_commands(schema.entities()), *registered]


@cache
def build() -> Schema:
    """The checked catalog and its GraphQL schema; raises InvalidDeclaration when a declaration cannot stand."""
    scopes.register_row_filters(RowFilterCompiler(lambda rights: rights_filters(build(), rights)))
    StoredFilters.planner = StoredFilterPlanner(build)
    SegmentFilters.planner = SegmentFilterPlanner(build)
    return build_schema(build_catalog(declarations()), commands(), schema.root_groups())


def build_with(customer_columns: tuple[str, ...]) -> Schema:
    """The schema whose catalog opens these columns to the customers' own keys; raises Misconfigured for an unknown one."""
    schema = build()
    return replace(schema, catalog=open_columns(schema.catalog, customer_columns)) if customer_columns else schema
