"""The rules of names: standard terms, one word for one thing. ARCHITECTURE.md and CONTRIBUTING.md say why."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from source_files import ROOT, SourceFile, assert_none, everything

# Words that say nothing about a thing. The first set is no part of a name of ours; the others are no whole name.
RETIRED_PARTS = frozenset(("told", "given", "found", "made", "wanted", "kept", "each"))
RETIRED = RETIRED_PARTS | {"at", "of", "place", "mark", "head", "kind", "thing"}
# Names that others prescribe: columns and fields of the API, methods that a library calls, the error of HTTP's name.
API_NAMES = frozenset(("kind", "given_at"))
API_PACKAGES = ("schema/", "hub/domain/", "bench/strawberry_")
PRESCRIBED = frozenset(("NotFound", "connection_made"))

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
GRAPHQL_TYPE = re.compile(r"^(?:type|input|enum|union|interface|scalar) (\w+)", re.MULTILINE)
DECLARES = ("schema/", "hub/domain/", "hub/model/", "hub/engine/")  # the packages that GraphQL types are declared in


def definitions(source: SourceFile) -> Iterator[tuple[str, ast.AST]]:
    """Every name that a file defines: classes, functions, parameters, variables, aliases of imports."""
    for node in source.nodes:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.arg):
            yield node.arg, node
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value):
            yield node.attr, node
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, node
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def is_retired(name: str) -> bool:
    """Whether a name is a retired word, or has one that may not be part of a name."""
    return name.strip("_").lower() in RETIRED or any(word.lower() in RETIRED_PARTS for word in WORDS.findall(name))


def is_prescribed(source: SourceFile, name: str) -> bool:
    """Whether a name is not ours to choose."""
    return name in PRESCRIBED or (name in API_NAMES and source.path.startswith(API_PACKAGES))


def test_no_name_is_a_retired_word() -> None:
    names = ((s, name, node) for s in ours() for name, node in definitions(s))
    assert_none(s.location(node) for s, name, node in names if is_retired(name) and not is_prescribed(s, name))


def ours() -> list[SourceFile]:
    """Every file but the migrations that are history."""
    return [source for source in everything() if not source.path.startswith("migrations/versions/")]


def classes_and_aliases() -> dict[str, list[tuple[SourceFile, ast.AST]]]:
    """Where each class and each type alias is defined."""
    places: dict[str, list[tuple[SourceFile, ast.AST]]] = defaultdict(list)
    for source in ours():
        for node in source.nodes:
            if isinstance(node, ast.ClassDef):
                places[node.name].append((source, node))
            elif isinstance(node, ast.AnnAssign) and "TypeAlias" in ast.unparse(node.annotation):
                places[ast.unparse(node.target)].append((source, node))
    return places


def test_no_two_classes_or_aliases_share_a_name() -> None:
    shared = (defined for defined in classes_and_aliases().values() if len(defined) > 1)
    assert_none(source.location(node) for defined in shared for source, node in defined)


def test_no_class_bears_the_name_of_a_graphql_type_that_it_does_not_declare() -> None:
    types = set(GRAPHQL_TYPE.findall(Path(ROOT, "schema/schema.graphql").read_text("utf-8")))
    defined = ((name, *entry) for name, entries in classes_and_aliases().items() for entry in entries)
    assert_none(s.location(node) for name, s, node in defined if name in types and not s.path.startswith(DECLARES))
