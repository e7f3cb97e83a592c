"""How packages may import one another: never in a cycle, the engine's in the order of its stages."""

from collections import defaultdict
from graphlib import CycleError, TopologicalSorter

import pytest
from source_files import assert_none, imports, product

# A file that stands directly in one of these folders is a package of its own.
FOLDERS_OF_PACKAGES = ("hub", "hub.engine", "hub.web")
# Folders that are one package with all that is in them.
WHOLE_FOLDERS = {"hub.demo": "the sample data and their loader"}
CYCLE_EXCEPTIONS = {("hub.db.migrate", "hub.migrations"): "only to know where the scripts lie"}

# The packages of the engine, and those that each may import.
ENGINE_PACKAGES: dict[str, tuple[str, ...]] = {
    "cache": (),
    "cursors": (),
    "planning_turns": (),
    "catalog": (),
    "document": ("cache", "catalog"),
    "graphql_types": ("catalog",),
    "plan": ("catalog", "document", "graphql_types", "cursors"),
    "sql": ("catalog", "plan", "cursors"),
    "request": ("document",),
    "roles": ("catalog", "graphql_types", "plan", "request", "sql"),
    "budgets": ("request",),
    "document_stores": ("document", "graphql_types", "plan"),
    "shared_buckets": ("budgets",),
    "execution": (
        "catalog",
        "document",
        "graphql_types",
        "plan",
        "sql",
        "request",
        "budgets",
        "cache",
        "cursors",
        "planning_turns",
    ),
    "engine": (
        *("catalog", "document", "graphql_types", "plan", "sql", "request", "execution", "cache", "cursors"),
        *("budgets", "planning_turns", "document_stores"),
    ),
}
ENGINE_USERS = (
    "hub.engine",
    "hub.graph",
    "hub.changefeed",
    "hub.subscriptions",
    "hub.webhooks",
    "hub.web",
    "hub.app",
    "hub.background_work",
    "hub.client_command_line",
    "hub.clock_command_line",
    "hub.export_command_line",
    "hub.import_command_line",
    "hub.job_command_line",
    "hub.jobs",
    "hub.report_runner",
    "hub.work_sample",
)


def _packages() -> dict[str, str]:
    """The package of each module of the product."""
    packages = {}
    for source in product():
        module, is_folder = source.module, source.path.endswith("/__init__.py")
        folder = module if is_folder else module.rpartition(".")[0]
        whole = next((name for name in WHOLE_FOLDERS if f"{module}.".startswith(f"{name}.")), None)
        packages[module] = whole or (module if folder in FOLDERS_OF_PACKAGES else folder)
    return packages


def test_packages_do_not_import_one_another_in_a_cycle() -> None:
    packages = _packages()
    graph: dict[str, set[str]] = defaultdict(set)
    for source in product():
        package = packages[source.module]
        for _, name in imports(source):
            if name in packages and packages[name] != package and (source.module, name) not in CYCLE_EXCEPTIONS:
                graph[package].add(packages[name])
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_the_engine_imports_in_the_order_of_its_stages() -> None:
    packages = _packages()
    wrong = []
    for source in product():
        own = packages[source.module].removeprefix("hub.engine.")
        for node, name in imports(source):
            other = packages.get(name, "")
            if packages[source.module].startswith("hub.engine.") and other.startswith("hub.engine."):
                imported = other.removeprefix("hub.engine.")
                wrong += [source.location(node)] if imported not in (own, *ENGINE_PACKAGES[own]) else []
    assert_none(wrong)


def test_only_packages_above_the_engine_import_it() -> None:
    assert_none(
        source.location(node)
        for source in product()
        for node, name in imports(source)
        if f"{name}.".startswith("hub.engine.")
        and not any(f"{source.module}.".startswith(f"{user}.") for user in ENGINE_USERS)
    )
