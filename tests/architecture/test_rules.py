"""The rules of the house, one test each. What cannot be seen in the text of the files is in test_printed.py."""

import ast
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from hub import schema

ROOT = Path(__file__).parents[2]
MOST_LINES, MOST_IN_A_FUNCTION, MOST_IN_A_DOCSTRING, MOST_ON_THE_MAP = 400, 50, 5, 150
PRINTED = "migrations/versions/"  # by alembic, as long as it takes

# -- who may import whom ------------------------------------------------------------------------------------------------

# Each package, and the packages below that it may import. Its own files it always may.
FLOOR = ("hub.settings", "hub.errors", "hub.viewer", "hub.observability")
DECLARED = ("hub.schema", "hub.domain", "hub.engine", "hub.model", "hub.db", *FLOOR)
PUBLISHING = ("hub.webhooks", "hub.subscriptions", "hub.changefeed")
TOP = ("hub.__main__", "hub.cli", "hub.launch", "hub.app", "hub.scheduler", "hub.doctor", "hub.keyfile")
ROOMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(TOP, (*TOP, "hub.web", *PUBLISHING, *DECLARED, "hub.demo", "hub.postgres")),
    "hub.web": (*PUBLISHING, *DECLARED),
    "hub.webhooks": ("hub.subscriptions", "hub.changefeed", *DECLARED),
    "hub.subscriptions": ("hub.changefeed", *DECLARED),
    "hub.changefeed": DECLARED,
    "hub.schema": ("hub.domain", "hub.engine", "hub.model", "hub.db", *FLOOR),
    "hub.domain": ("hub.model", "hub.db", *FLOOR),
    "hub.engine": ("hub.model", "hub.db", *FLOOR),
    "hub.model": ("hub.db", *FLOOR),
    "hub.db": FLOOR,
    "hub.demo": ("hub.domain", "hub.model", "hub.db", *FLOOR),
    "hub.postgres": ("hub.settings", "hub.errors"),
    "hub.settings": ("hub.errors",),
    "hub.viewer": ("hub.errors",),
    "hub.observability": (),
    "hub.errors": (),
    "hub.migrations": ("hub.schema", "hub.domain", "hub.model", "hub.db", "hub.settings"),
    "hub": (),
}
IMPORT_EXCEPTIONS = {
    ("hub.db.migrate", "hub.migrations"): "only to know where the scripts lie",
}

# Names of subjects that the engine uses in another sense.
ENGLISH = {
    "Order": "what a list is sorted by",
    "addresses": "the texts by which links name their targets",
}

# Libraries that belong to some rooms; () stands for none.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "graphql": ("hub.engine",),
    "strawberry": ("hub.engine", "hub.model", "hub.schema"),
    "starlette": ("hub.web", "hub.app"),
    "uvicorn": ("hub.web",),
    "websockets": ("hub.web",),
    "alembic": ("hub.db", "hub.migrations"),
    "sqlalchemy": ("hub.app", "hub.domain", "hub.engine", "hub.model", "hub.db", "hub.demo", "hub.migrations"),
    "asyncpg": ("hub.db", "hub.model", "hub.domain", "hub.demo", "hub.doctor", "hub.postgres"),
    **dict.fromkeys(("psycopg", "psycopg2", "pg8000", "databases", "sqlmodel"), ()),
}
LOADED_BY_NAME = {"schema/__init__.py": "a subject is one line in SUBJECTS"}

# -- where a thing may be done ------------------------------------------------------------------------------------------

ENVIRONMENT = {"hub/settings.py": "the one reader"}
COMMITS = {
    "hub/db/pool.py": "the one place",
    "hub/db/migrate.py": "alembic's own connection",
    "migrations/env.py": "alembic's own connection",
    "hub/demo/load.py": "a loader: COPY on a connection of its own",
    "hub/postgres/doctor.py": "tries what it may do, and rolls it back",
}
SELECTS = {
    "hub/engine/": "answers clients",
    "hub/domain/": "commands look before they write",
    "hub/model/": "the writer looks before it writes",
    "hub/db/change_log.py": "tells commands what was edited since",
    "hub/db/migrate.py": "takes a lock",
    "hub/db/change_positions.py": "gives changes their positions, and reads the log by them",
    "hub/db/log_partitions.py": "looks which days of the log can go",
    "hub/demo/load.py": "takes a lock, and looks what is loaded already",
    "hub/postgres/doctor.py": "looks at the server",
    "hub/app.py": "asks for the revision, to know whether the hub is ready",
}
LINKED = ("schema", "migrations")  # folders at the top that are imported through a link in hub/
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
NOT_OURS = {"node_modules", "__pycache__", "static", "results", "data", "hub-data"}  # made, not written
LOCKS = {"requirements.lock", "package-lock.json"}
TEXT = {".py", ".md", ".toml", ".ini", ".mako", ".graphql", ".lock", ".json", ".ts", ".tsx", ".js", ".mjs", ".css", ""}

LONG_DOCSTRINGS = {"hub/errors.py": "draws the tree of errors"}


@dataclass(frozen=True)
class Source:
    """A Python file."""

    path: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        name = self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return f"hub.{name}" if name.partition(".")[0] in LINKED else name

    def at(self, node: ast.AST) -> str:
        line: int = getattr(node, "lineno", 1)
        return f"{self.path}:{line}: {self.text.splitlines()[line - 1].strip()}"

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Every call, and the text of what is called."""
        return ((node, ast.unparse(node.func)) for node in ast.walk(self.tree) if isinstance(node, ast.Call))

    def words(self) -> Iterator[ast.Constant]:
        """Every text that is not a docstring."""
        said = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
                yield node


@cache
def sources(*rooms: str) -> tuple[Source, ...]:
    inside = tuple(ROOT / room for room in rooms)
    found = [path for path in texts() if path.suffix == ".py" and any(room in path.parents for room in inside)]
    return tuple(_read(path) for path in found)


@cache
def _read(path: Path) -> Source:
    text = path.read_text("utf-8")
    return Source(path.relative_to(ROOT).as_posix(), text, ast.parse(text))


@cache
def texts() -> tuple[Path, ...]:
    """Every file that people or tools have written as text, and that is kept."""
    found = []
    for folder, below, names in os.walk(ROOT):
        below[:] = sorted(each for each in below if each not in NOT_OURS and (each[0] != "." or each == ".ci"))
        found += [Path(folder, name) for name in sorted(names) if Path(name).suffix in TEXT and name != ".git"]
    return tuple(found)


def product() -> tuple[Source, ...]:
    return sources("hub", "schema", "migrations")


def everything() -> tuple[Source, ...]:
    return sources("hub", "schema", "migrations", "bench", "tests")


def allowed(source: Source, places: dict[str, str]) -> bool:
    return any(source.path == place or (place.endswith("/") and source.path.startswith(place)) for place in places)


@cache
def imports(source: Source) -> tuple[tuple[ast.stmt, str], ...]:
    """Every import statement with the module that it loads."""
    known = {each.module for each in everything()}
    found: list[tuple[ast.stmt, str]] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found += [(node, each.name) for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            inner = ((f"{node.module}.{each.name}", node.module or ".") for each in node.names)
            found += [(node, name if name in known else base) for name, base in inner]
    return tuple(found)


def room_of(module: str) -> str:
    return max((room for room in ROOMS if f"{module}.".startswith(f"{room}.")), key=len)


def _within(module: str, rooms: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{room}.") for room in rooms)


def none(offences: Iterable[str]) -> None:
    found = list(offences)
    assert not found, "\n".join(["", *found])


# -- the rules ----------------------------------------------------------------------------------------------------------


def test_imports_point_down_only() -> None:
    ours = {each.module for each in everything()}
    none(
        source.at(node)
        for source in product()
        for node, name in imports(source)
        if name in ours
        and not _within(name, (room_of(source.module), *ROOMS[room_of(source.module)]))
        and (source.module, name) not in IMPORT_EXCEPTIONS
    )


def test_every_module_belongs_to_a_room() -> None:
    none(source.path for source in product() if room_of(source.module) == "hub" != source.module)


def test_a_library_stays_in_its_rooms() -> None:
    none(
        source.at(node)
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
    functions = ((s, f) for s in everything() for f in ast.walk(s.tree) if isinstance(f, FUNCTION))
    inner = ((source, node) for source, function in functions for node in ast.walk(function))
    none(source.at(node) for source, node in inner if isinstance(node, ast.Import | ast.ImportFrom))


def test_no_module_is_loaded_by_its_name() -> None:
    loads = [
        (s, node) for s in product() for node, name in s.calls() if re.search(r"\b(import_module|__import__)$", name)
    ]
    none(source.at(node) for source, node in loads if not allowed(source, LOADED_BY_NAME))


def test_no_import_is_for_type_checkers_alone() -> None:
    none(_names("TYPE_CHECKING", everything()))


def test_only_the_settings_read_the_environment() -> None:
    bare = tuple(source for source in product() if not allowed(source, ENVIRONMENT))
    none(place for word in ("environ", "environb", "getenv", "putenv") for place in _names(word, bare))


def test_a_file_ends_before_line_400() -> None:
    long = ((source, source.text.count("\n")) for source in everything() if not source.path.startswith(PRINTED))
    none(f"{source.path}: {lines} lines" for source, lines in long if lines > MOST_LINES)


def test_a_function_has_at_most_50_lines() -> None:
    long = ((s, f) for s in everything() if not s.path.startswith(PRINTED) for f in ast.walk(s.tree))
    none(s.at(f) for s, f in long if isinstance(f, FUNCTION) and _length(f) > MOST_IN_A_FUNCTION)


def test_a_module_says_in_one_to_five_lines_what_it_holds() -> None:
    said = [(source, ast.get_docstring(source.tree) or "") for source in everything()]
    none(
        f"{source.path}: {text.count(chr(10)) + 1 if text else 'no'} lines"
        for source, text in said
        if not text or (text.count("\n") >= MOST_IN_A_DOCSTRING and source.path not in LONG_DOCSTRINGS)
    )


def test_nothing_is_left_for_later() -> None:
    words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|NotImplemented" + r"Error)\b")
    none(_lines(words, lambda path: path.suffix in (".py", ".md", ".ts", ".tsx", ".js", ".mjs")))


def test_the_engine_names_no_subject() -> None:
    rows = schema.declarations()
    names = {name for each in rows for name in (each.name, each.subject, each.table.name, each.plural)} - set(ENGLISH)
    said = [(s, node, set(re.findall(r"\w+", str(node.value)))) for s in sources("hub/engine") for node in s.words()]
    none(source.at(node) for source, node, words in said if words & names)
    none(place for name in names for place in _names(name, sources("hub/engine")))


def test_schema_files_do_not_import_each_other() -> None:
    none(s.at(node) for s in sources("schema") for node, name in imports(s) if _within(name, ("hub.schema",)))


def test_only_migrations_make_tables() -> None:
    makes = re.compile(r"(?i)^\s*(create|alter|drop)\s+(unlogged\s+)?(table|type|index|function|trigger)\b")
    texts = [(source, node) for source in sources("hub", "schema") for node in source.words()]
    none(source.at(node) for source, node in texts if makes.search(str(node.value)))
    calls = [(source, node, name) for source in sources("hub", "schema") for node, name in source.calls()]
    none(source.at(node) for source, node, name in calls if name.endswith((".create_all", ".drop_all")))


def test_the_pool_alone_commits() -> None:
    calls = [
        (source, node, name) for source in product() if not allowed(source, COMMITS) for node, name in source.calls()
    ]
    ends = re.compile(r"(?<!pool)\.(transaction|begin|commit)$")
    none(source.at(node) for source, node, name in calls if ends.search(name))


def test_the_engine_alone_selects_for_clients() -> None:
    bare = [source for source in sources("hub", "schema") if not allowed(source, SELECTS)]
    calls = [source.at(node) for source in bare for node, name in source.calls() if re.search(r"\bselect$", name)]
    texts = [(source, node) for source in bare for node in source.words()]
    none(calls + [s.at(node) for s, node in texts if re.match(r"(?i)\s*(select|with)\s", str(node.value))])


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    known = re.compile(r"(?<![\w.])/(home|root|Users|work)/\w|\b(pypi|pythonhosted|npmjs|yarnpkg)\.(org|com|io)\b")
    none(_lines(known, lambda path: path.name != "NOTICES.txt"))


def test_locks_hold_hashes_and_no_address() -> None:
    assert {path.name for path in texts()} >= LOCKS
    none(_lines(re.compile("://"), lambda path: path.name in LOCKS))
    pinned = (ROOT / "requirements.lock").read_text().split("\n")
    bare = [at for at, line in enumerate(pinned) if "==" in line and "--hash=sha256:" not in pinned[at + 1]]
    none(pinned[at] for at in bare)


def test_the_map_fits_on_a_page_or_two() -> None:
    assert (ROOT / "ARCHITECTURE.md").read_text().count("\n") <= MOST_ON_THE_MAP


def _length(function: ast.AST) -> int:
    first: int = getattr(function, "lineno", 0)
    last: int = getattr(function, "end_lineno", 0)
    return last - first + 1


def _names(word: str, files: tuple[Source, ...]) -> list[str]:
    """Where a name is read, taken from a module or imported."""
    found = []
    for source in files:
        for node in ast.walk(source.tree):
            said = [getattr(node, "id", None), getattr(node, "attr", None)]
            said += [each.name for each in node.names] if isinstance(node, ast.ImportFrom) else []
            found += [source.at(node)] if word in said else []
    return found


def _lines(wanted: re.Pattern[str], of: Callable[[Path], bool]) -> Iterator[str]:
    """Every line of the repository's texts in which a pattern occurs."""
    for path in filter(of, texts()):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if wanted.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {line.strip()[:150]}"
