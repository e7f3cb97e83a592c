"""The rules of the house, one test each. What cannot be seen in the text of the files is in test_generated_files.py."""

import ast
import pkgutil
import re
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from source_files import ROOT, SourceFile, allowed, assert_none, everything, imports, modules, product, sources, texts

from hub import domain, graph

MAX_LINES, MAX_FUNCTION_LINES, MAX_DOCSTRING_LINES, MAX_ARCHITECTURE_LINES = 400, 50, 5, 150
PRINTED = "migrations/versions/"  # by alembic, as long as it takes

# -- who may import whom ------------------------------------------------------------------------------------------------

# Each package, and the packages below that it may import. Its own files it always may.
FOUNDATION = (
    "hub.settings",
    "hub.setting_types",
    "hub.token_issuers",
    "hub.errors",
    "hub.time_source",
    "hub.deadlines",
    "hub.rights",
    "hub.viewer",
    "hub.client_limits",
    "hub.observability",
    "hub.text_case",
    "hub.loop_turns",
    "hub.runtime_login",
)
DECLARED = ("hub.graph", "hub.schema", "hub.domain", "hub.engine", "hub.model", "hub.db", *FOUNDATION)
PUBLISHING = ("hub.webhooks", "hub.subscriptions", "hub.changefeed")
COMMANDS = (
    "hub.installation",
    *(f"hub.{name}_command_line" for name in ("audit", "client", "clock", "export", "import", "job", "key", "role")),
)
TOP = (
    *COMMANDS,
    "hub.__main__",
    "hub.cli",
    "hub.launch",
    "hub.app",
    "hub.scheduler",
    "hub.timer_loop",
    "hub.report_runner",
    "hub.work_sample",
    "hub.doctor",
    "hub.keyfile",
    "hub.terminal",
)
ALLOWED_IMPORTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        TOP, (*TOP, "hub.web", "hub.jobs", *PUBLISHING, *DECLARED, "hub.demo", "hub.postgres", "hub.runtime_login")
    ),
    "hub.web": (*PUBLISHING, *DECLARED),
    "hub.webhooks": ("hub.subscriptions", "hub.changefeed", *DECLARED),
    "hub.subscriptions": ("hub.changefeed", *DECLARED),
    "hub.changefeed": DECLARED,
    "hub.jobs": ("hub.changefeed", *DECLARED),
    "hub.graph": ("hub.schema", "hub.domain", "hub.engine", "hub.model"),
    "hub.domain": ("hub.schema", "hub.model", "hub.db", *FOUNDATION),
    "hub.schema": ("hub.model",),
    "hub.engine": ("hub.model", "hub.db", *FOUNDATION),
    "hub.model": ("hub.db", *FOUNDATION),
    "hub.db": FOUNDATION,
    "hub.demo": ("hub.jobs", *DECLARED),
    "hub.postgres": ("hub.settings", "hub.errors", "hub.runtime_login"),
    "hub.settings": ("hub.errors", "hub.setting_types", "hub.token_issuers"),
    "hub.setting_types": (),
    "hub.token_issuers": (),
    "hub.viewer": ("hub.client_limits", "hub.errors", "hub.rights"),
    "hub.rights": ("hub.client_limits",),
    "hub.client_limits": (),
    "hub.text_case": (),
    "hub.loop_turns": (),
    "hub.observability": (),
    "hub.time_source": (),
    "hub.deadlines": (),
    "hub.runtime_login": (),
    "hub.errors": (),
    "hub.migrations": ("hub.schema", "hub.domain", "hub.model", "hub.db", "hub.settings"),
    "hub": (),
}
IMPORT_EXCEPTIONS = {
    ("hub.db.migrate", "hub.migrations"): "only to know where the scripts lie",
}

# Bounded contexts, in schema and in domain: each may import those before it.
CONTEXTS = (
    "organisation",
    "customers",
    "scoring",
    "sales",
    "access",
    "engagement",
    "webhooks",
    "privacy",
    "work",
    "jobs",
    "exchange",
)
# All of the model that a declaration knows: no rule and no writer.
VOCABULARY = (
    "hub.model",
    "hub.model.validators",
    "hub.model.working_time",
    "hub.model.code_patterns",
    "hub.model.clock_expressions",
    "hub.model.viewer_rows",
)

# Names of entities that the engine uses in another sense.
HOMONYMS = {
    "Order": "the sort order of a list",
    "roles": "what the variables of an operation are for",
    "moves": "what a row does that comes to another unit",
}

# Libraries that belong to some rooms; () stands for none.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "graphql": ("hub.engine",),
    "strawberry": ("hub.engine", "hub.model", "hub.schema"),
    "starlette": ("hub.web", "hub.app"),
    "uvicorn": ("hub.web",),
    "websockets": ("hub.web",),
    "joserfc": ("hub.web",),
    "alembic": ("hub.db", "hub.migrations"),
    "sqlalchemy": ("hub.app", "hub.domain", "hub.engine", "hub.model", "hub.db", "hub.demo", "hub.migrations"),
    "asyncpg": ("hub.db", "hub.model", "hub.domain", "hub.jobs", "hub.demo", "hub.doctor", "hub.postgres"),
    **dict.fromkeys(("psycopg", "psycopg2", "pg8000", "databases", "sqlmodel"), ()),
}
LOADED_BY_NAME = {
    "schema/__init__.py": "an entity is one line in MODULES",
    "hub/graph.py": "a rule file needs no line",
}

# -- where a thing may be done ------------------------------------------------------------------------------------------

ENVIRONMENT = {"hub/settings.py": "the one reader"}
COMMITS = {
    "hub/db/pool.py": "the one place",
    "hub/db/migrate.py": "alembic's own connection",
    "migrations/env.py": "alembic's own connection",
    "hub/demo/load.py": "a loader: COPY on a connection of its own",
    "hub/jobs/": "a job's context has transactions of the pool of jobs",
    "hub/postgres/doctor.py": "tries what it may do, and rolls it back",
}
SELECTS = {
    "hub/engine/": "answers clients",
    "hub/domain/": "commands look before they write",
    "hub/model/": "the writer looks before it writes",
    "hub/db/audit_log.py": "chains the audit log, and reads it to verify it",
    "hub/db/change_log.py": "tells commands what was edited since",
    "hub/db/migrate.py": "takes a lock",
    "hub/db/change_positions.py": "gives changes their positions, and reads the log by them",
    "hub/db/runtime_role.py": "takes the role that serves clients",
    "hub/doctor.py": "looks who owns the database",
    "hub/db/transaction.py": "says who writes",
    "hub/db/log_partitions.py": "looks which days of the log can go",
    "hub/demo/load.py": "takes a lock, and looks what is loaded already",
    "hub/postgres/doctor.py": "looks at the server",
    "hub/app.py": "asks for the revision, to know whether the hub is ready",
}
PIP_LOCKS = ("requirements.lock", "requirements-dev.lock")
LOCKS = {*PIP_LOCKS, "package-lock.json"}

LONG_DOCSTRINGS = {"hub/errors.py": "draws the tree of errors"}


def package_of(module: str) -> str:
    return max((package for package in ALLOWED_IMPORTS if f"{module}.".startswith(f"{package}.")), key=len)


def _rank(context: str) -> int:
    """A context's place in the order. A new one comes last: no other context may import it until it has its place."""
    return CONTEXTS.index(context) if context in CONTEXTS else len(CONTEXTS)


def _context(module: str) -> str | None:
    """The context of a module of schema or domain."""
    parts = module.split(".")
    return parts[2] if parts[1:2] in (["schema"], ["domain"]) and len(parts) > 2 else None


def _within(module: str, packages: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


# -- the rules ----------------------------------------------------------------------------------------------------------


def test_imports_point_down_only() -> None:
    ours = modules()
    assert_none(
        source.location(node)
        for source in product()
        for node, name in imports(source)
        if name in ours
        and not _within(name, (package_of(source.module), *ALLOWED_IMPORTS[package_of(source.module)]))
        and (source.module, name) not in IMPORT_EXCEPTIONS
    )


def test_every_module_belongs_to_a_package() -> None:
    assert_none(source.path for source in product() if package_of(source.module) == "hub" != source.module)


def test_a_library_stays_in_its_packages() -> None:
    assert_none(
        source.location(node)
        for source in product()
        for node, name in imports(source)
        if not _within(source.module, LIBRARIES.get(name.partition(".")[0], (source.module,)))
    )


def test_there_is_no_import_cycle() -> None:
    graph = {source.module: {name for _, name in imports(source)} for source in everything()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_nothing_is_imported_inside_a_function() -> None:
    spans = {s: [(f.lineno, f.end_lineno or f.lineno) for f in s.functions] for s in everything()}
    loads = ((s, node) for s in everything() for node, _ in imports(s))
    assert_none(s.location(node) for s, node in loads if any(a <= node.lineno <= z for a, z in spans[s]))


def test_no_module_is_loaded_by_its_name() -> None:
    loads = [
        (s, node) for s in product() for node, name in s.calls if re.search(r"\b(import_module|__import__)$", name)
    ]
    assert_none(source.location(node) for source, node in loads if not allowed(source, LOADED_BY_NAME))


def test_no_import_is_for_type_checkers_alone() -> None:
    assert_none(_names({"TYPE_CHECKING"}, everything()))


def test_only_the_settings_read_the_environment() -> None:
    bare = tuple(source for source in product() if not allowed(source, ENVIRONMENT))
    assert_none(_names({"environ", "environb", "getenv", "putenv"}, bare))


def test_a_file_ends_before_line_400() -> None:
    long = ((source, source.text.count("\n")) for source in everything() if not source.path.startswith(PRINTED))
    assert_none(f"{source.path}: {lines} lines" for source, lines in long if lines > MAX_LINES)


def test_a_function_has_at_most_50_lines() -> None:
    long = ((s, f) for s in everything() if not s.path.startswith(PRINTED) for f in s.functions)
    assert_none(s.location(f) for s, f in long if _length(f) > MAX_FUNCTION_LINES)


def test_a_module_says_in_one_to_five_lines_what_it_holds() -> None:
    said = [(source, ast.get_docstring(source.tree) or "") for source in everything()]
    assert_none(
        f"{source.path}: {text.count(chr(10)) + 1 if text else 'no'} lines"
        for source, text in said
        if not text or (text.count("\n") >= MAX_DOCSTRING_LINES and source.path not in LONG_DOCSTRINGS)
    )


def test_nothing_is_left_for_later() -> None:
    # A milestone's state is none of them.
    words = re.compile(r"(?<![.\"'])\b(TO" + r"DO(?!\"| =)|FIX" + r"ME|X" + r"XX|NotImplemented" + r"Error)\b")
    assert_none(_lines(words, lambda path: path.suffix in (".py", ".md", ".ts", ".tsx", ".js", ".mjs")))


def test_no_merge_is_left_half_done() -> None:
    assert_none(_lines(re.compile("^(<" + "{7}|>" + "{7}) "), lambda path: True))


def test_the_engine_names_no_entity() -> None:
    rows = graph.declarations()
    names = {
        name for declaration in rows for name in (declaration.name, declaration.table.name, declaration.plural)
    } - set(HOMONYMS)
    said = [
        (s, node, set(re.findall(r"\w+", str(node.value)))) for s in sources("hub/engine") for node in s.string_literals
    ]
    assert_none(source.location(node) for source, node, words in said if words & names)
    assert_none(_names(names, sources("hub/engine")))


def test_a_declaration_imports_the_vocabulary_and_other_declarations_alone() -> None:
    ours = modules()
    assert_none(
        source.location(node)
        for source in sources("schema")
        for node, name in imports(source)
        if name in ours and name not in VOCABULARY and not _within(name, ("hub.schema",))
    )


def test_contexts_import_those_before_them_alone() -> None:
    assert_none(
        source.location(node)
        for source in sources("schema", "hub/domain")
        for node, name in imports(source)
        if (own := _context(source.module))
        and (other := _context(name))
        and other != own
        and _rank(other) >= _rank(own)
    )


def test_the_order_names_contexts_that_exist() -> None:
    assert set(CONTEXTS) <= {module.name for module in pkgutil.iter_modules(domain.__path__)}


def test_only_migrations_make_tables() -> None:
    makes = re.compile(r"(?i)^\s*(create|alter|drop)\s+(unlogged\s+)?(table|type|index|function|trigger)\b")
    texts = [(source, node) for source in sources("hub", "schema") for node in source.string_literals]
    assert_none(source.location(node) for source, node in texts if makes.search(str(node.value)))
    calls = [(source, node, name) for source in sources("hub", "schema") for node, name in source.calls]
    assert_none(source.location(node) for source, node, name in calls if name.endswith((".create_all", ".drop_all")))


def test_the_pool_alone_commits() -> None:
    calls = [
        (source, node, name) for source in product() if not allowed(source, COMMITS) for node, name in source.calls
    ]
    ends = re.compile(r"(?<!pool)\.(transaction|begin|commit)$")
    assert_none(source.location(node) for source, node, name in calls if ends.search(name))


def test_one_file_holds_the_numbers_of_advisory_locks() -> None:
    number = re.compile(r"7_?269_?401_?\d{3}|advisory\w*lock\w*\(\s*[\d_]+\b")
    assert_none(_lines(number, lambda path: path.relative_to(ROOT).as_posix() != "hub/db/locks.py"))


def test_the_engine_alone_selects_for_clients() -> None:
    bare = [source for source in sources("hub", "schema") if not allowed(source, SELECTS)]
    calls = [source.location(node) for source in bare for node, name in source.calls if re.search(r"\bselect$", name)]
    texts = [(source, node) for source in bare for node in source.string_literals]
    query = re.compile(r"(?i)\s*(select\s|with\s+(recursive\s+)?\w+\s*(\(|as\b))")
    assert_none(calls + [s.location(node) for s, node in texts if query.match(str(node.value))])


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    known = re.compile(r"(?<![\w.])/(home|root|Users|work)/\w|\b(pypi|pythonhosted|npmjs|yarnpkg)\.(org|com|io)\b")
    assert_none(_lines(known, lambda path: path.name != "NOTICES.txt"))


def test_locks_hold_hashes_and_no_address() -> None:
    assert {path.name for path in texts()} >= LOCKS
    assert_none(_lines(re.compile("://"), lambda path: path.name in LOCKS))
    pinned = [line for name in PIP_LOCKS for line in (ROOT / name).read_text().split("\n")]
    bare = [index for index, line in enumerate(pinned) if "==" in line and "--hash=sha256:" not in pinned[index + 1]]
    assert_none(pinned[index] for index in bare)


def test_the_architecture_page_is_short() -> None:
    assert (ROOT / "ARCHITECTURE.md").read_text().count("\n") <= MAX_ARCHITECTURE_LINES


def _length(function: ast.AST) -> int:
    first: int = getattr(function, "lineno", 0)
    last: int = getattr(function, "end_lineno", 0)
    return last - first + 1


def _names(words: set[str], files: tuple[SourceFile, ...]) -> list[str]:
    """Where one of the names is read, taken from a module or imported."""
    locations = []
    for source in files:
        for node in source.nodes:
            said = {getattr(node, "id", None), getattr(node, "attr", None)}
            if isinstance(node, ast.ImportFrom):
                said.update(alias.name for alias in node.names)
            locations += [source.location(node)] if said & words else []
    return locations


def _lines(pattern: re.Pattern[str], accepts: Callable[[Path], bool]) -> Iterator[str]:
    """Every line of the repository's texts in which a pattern occurs."""
    for path in filter(accepts, texts()):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {line.strip()[:150]}"
