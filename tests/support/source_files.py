"""The source files of the repository as the architecture tests see them: their text, syntax tree and imports."""

import ast
import gc
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINKED = ("schema", "migrations")  # folders at the top that are imported through a link in hub/
NOT_OURS = {"node_modules", "__pycache__", "static", "results", "data", "hub-data"}  # made, not written
TEXT = {".py", ".md", ".toml", ".ini", ".mako", ".graphql", ".lock", ".json", ".ts", ".tsx", ".js", ".mjs", ".css", ""}


@dataclass(frozen=True)
class SourceFile:
    """A Python file."""

    path: str
    text: str
    tree: ast.Module

    @cached_property
    def module(self) -> str:
        name = self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return f"hub.{name}" if name.partition(".")[0] in LINKED else name

    def location(self, node: ast.AST) -> str:
        line: int = getattr(node, "lineno", 1)
        return f"{self.path}:{line}: {self.text.splitlines()[line - 1].strip()}"

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def functions(self) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
        """Every function and method, inner ones too."""
        return tuple(node for node in self.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    @cached_property
    def calls(self) -> tuple[tuple[ast.Call, str], ...]:
        """Every call, and the text of what is called."""
        return tuple((node, ast.unparse(node.func)) for node in self.nodes if isinstance(node, ast.Call))

    @cached_property
    def string_literals(self) -> tuple[ast.Constant, ...]:
        """Every text that is not a docstring."""
        docstrings = {id(node.value) for node in self.nodes if isinstance(node, ast.Expr)}
        constants = (node for node in self.nodes if isinstance(node, ast.Constant) and id(node) not in docstrings)
        return tuple(constant for constant in constants if isinstance(constant.value, str))


@cache
def sources(*packages: str) -> tuple[SourceFile, ...]:
    folders = tuple(ROOT / package for package in packages)
    paths = [path for path in texts() if path.suffix == ".py" and any(package in path.parents for package in folders)]
    read = tuple(_read(path) for path in paths)
    gc.freeze()  # millions of nodes that never go away need not be looked through again and again
    return read


@cache
def _read(path: Path) -> SourceFile:
    text = path.read_text("utf-8")
    return SourceFile(path.relative_to(ROOT).as_posix(), text, ast.parse(text))


@cache
def modules() -> frozenset[str]:
    """The names of all modules."""
    return frozenset(source.module for source in everything())


@cache
def texts() -> tuple[Path, ...]:
    """Every file that people or tools have written as text, and that is kept."""
    paths = []
    for folder, below, names in os.walk(ROOT):
        below[:] = sorted(
            subfolder
            for subfolder in below
            if subfolder not in NOT_OURS and (subfolder[0] != "." or subfolder == ".ci")
        )
        paths += [Path(folder, name) for name in sorted(names) if Path(name).suffix in TEXT and name != ".git"]
    return tuple(paths)


def product() -> tuple[SourceFile, ...]:
    return sources("hub", "schema", "migrations")


def everything() -> tuple[SourceFile, ...]:
    return sources("hub", "schema", "migrations", "bench", "tests")


def allowed(source: SourceFile, exceptions: dict[str, str]) -> bool:
    return any(
        source.path == prefix or (prefix.endswith("/") and source.path.startswith(prefix)) for prefix in exceptions
    )


@cache
def imports(source: SourceFile) -> tuple[tuple[ast.stmt, str], ...]:
    """Every import statement with the module that it loads."""
    imported: list[tuple[ast.stmt, str]] = []
    for node in source.nodes:
        if isinstance(node, ast.Import):
            imported += [(node, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inner = ((f"{node.module}.{alias.name}", node.module or ".") for alias in node.names)
            imported += [(node, name if name in modules() else base) for name, base in inner]
    return tuple(imported)


def assert_none(violations: Iterable[str]) -> None:
    reported = list(violations)
    assert not reported, "\n".join(["", *reported])
