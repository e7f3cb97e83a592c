"""Limits on the size of a document. They are checked on the text, then on the syntax tree, before any expensive stage.

Counts are those of the tree with its fragments expanded, yet each fragment is visited once. The cost in rows depends on
types and variables; cost.py has it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    SourceLocation,
    get_introspection_query,
    get_location,
    get_named_type,
    is_abstract_type,
    parse,
)

# Counts are capped here: in a chain of fragments that each spread the next one twice, they grow exponentially.
COUNT_CAP = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one document or of one operation. The first ten come from the settings."""

    depth: int = 15
    aliases: int = 100
    fields: int = 500
    tokens: int = 2_000
    root_fields: int = 20
    directives: int = 100
    errors: int = 5
    cost: int = 5_000
    page: int = 100
    # The rows that an aggregate must be over for roles that see aggregates only.
    group: int = 5
    # How far back rows can be read as they were.
    change_retention: timedelta | None = timedelta(days=7)  # None where the log alone says how far it reaches
    # Postgres truncates identifiers to this length, so two longer response keys could become the same.
    alias_bytes: int = 63
    # Characters of text: white space and strings are not tokens, but the scanner reads each of their characters.
    text: int = 65_536
    # Open brackets, and nested selection sets with fragments expanded: both recurse.
    nesting: int = 64
    # Fields, spreads and inline fragments of all operations together: operations that share fragments multiply the work.
    selections: int = 2_500
    # Steps of comparing fields that share a response key, as graphql-core counts them; about 0.5 µs each.
    overlaps: int = 10_000
    # As a multiple of what the standard introspection query reads.
    introspection: int = 2
    # Rows assumed for a list without pages.
    rows: int = 10


@dataclass(slots=True)
class DocumentSize:
    """The size of a selection set with its fragments expanded. Subtrees of `__schema` and `__type` count separately."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    root_fields: int = 0
    stored_fields: int = 0
    selections: int = 0
    nesting: int = 1
    introspection: float = 0
    introspection_weight: float = 0

    def include(self, other: "DocumentSize") -> None:
        """Adds a fragment spread: its fields are on this level."""
        self.depth = max(self.depth, other.depth)
        self.fields += other.fields
        self.root_fields += other.root_fields
        self.stored_fields += other.stored_fields
        self.introspection += other.introspection
        self.introspection_weight += other.introspection_weight
        self._contain(other)

    def select(self, field: FieldNode, inner: "DocumentSize | None", weight: float) -> None:
        """Adds a field with the selection below it."""
        name = field.name.value
        inner = inner or _EMPTY
        self.root_fields += 1
        self.aliases += field.alias is not None
        self.stored_fields += not name.startswith("__")
        self.introspection_weight += weight * (1 + inner.introspection_weight)
        if name in ("__schema", "__type"):
            self.depth = max(self.depth, 1)
            self.introspection += weight * (1 + inner.introspection_weight)
        else:
            self.depth = max(self.depth, 1 + inner.depth)
            self.fields += 1 + inner.fields
            self.introspection += inner.introspection
        self._contain(inner)

    def saturate(self) -> "DocumentSize":
        for count in _COUNTS:
            setattr(self, count, min(getattr(self, count), COUNT_CAP))
        return self

    def _contain(self, inner: "DocumentSize") -> None:
        self.aliases += inner.aliases
        self.directives += inner.directives
        self.selections += inner.selections
        self.nesting = max(self.nesting, 1 + inner.nesting)


_COUNTS = tuple(field.name for field in fields(DocumentSize))
_EMPTY = DocumentSize(nesting=0)

# The field of DocumentSize and Limits, the error code, what is counted, and the remedy.
_LIMIT_MESSAGES = (
    ("depth", "DEPTH_LIMIT", "levels of fields", "Ask for the deeper part in an operation of its own."),
    ("nesting", "DEPTH_LIMIT", "levels of selections and fragments", "Nest fewer fragments."),
    ("fields", "FIELD_LIMIT", "fields", "Split it into several operations."),
    ("aliases", "ALIAS_LIMIT", "aliases", "Use lists and filters, or several operations."),
    ("root_fields", "ROOT_FIELD_LIMIT", "root fields", "Split it into several operations."),
    ("directives", "DIRECTIVE_LIMIT", "directives", "Put one on a fragment instead of one on each field."),
)

# Possessive quantifiers and a branch for every character and the end: no text makes this scan backtrack.
_TOKEN = re.compile(
    r"""
    [\ \t\r\n,\ufeff]*+
    (?: (?P<open> [{(\[] ) | (?P<close> [})\]] ) | (?P<end> \Z )
      | [_A-Za-z]\w*+ | \.\.\. | -?[0-9][0-9.eE+-]*+
      | \"\"\" (?: [^"\\] | \\\"\"\" | \\ | "(?!"") )*+ (?: \"\"\" )?
      | " (?: [^"\\\r\n] | \\. )*+ "?
      | \# [^\r\n]*+
      | . )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


def scan_text(text: str, limits: Limits) -> GraphQLError | None:
    """The errors of a text before it is parsed: its length, its tokens (a comment is one), its open brackets."""
    if len(text) > limits.text:
        message = f"The document has {len(text):,} characters; {limits.text:,} are allowed. Send values as variables."
        return _error_at("TOKEN_LIMIT", message, text, limits.text)
    if not text.isascii() and (position := _lone_surrogate(text)) is not None:
        message = f"The document has half a surrogate pair at character {position}. Send Unicode text."
        return _error_at("GRAPHQL_SYNTAX", message, text, position)
    depth = 0
    for count, match in enumerate(_TOKEN.finditer(text), start=1):
        group = match.lastgroup
        if group == "end":
            break
        if count > limits.tokens:
            message = f"The document has more than {limits.tokens:,} tokens. Split it, and send values as variables."
            return _error_at("TOKEN_LIMIT", message, text, match.end() - 1)
        if group == "open":
            depth += 1
            if depth > limits.nesting:
                message = f"The document nests more than {limits.nesting} brackets. Ask for less depth at once."
                return graphql_error("DEPTH_LIMIT", message, source=Source(text), positions=[match.end() - 1])
        elif group == "close":
            depth -= 1
    return None


def _error_at(code: str, message: str, text: str, position: int) -> GraphQLError:
    """An error at a character of a text. It only counts line feeds, because the text may be huge."""
    error = graphql_error(code, message)
    column = position - text.rfind("\n", 0, position)
    error.locations = [SourceLocation(text.count("\n", 0, position) + 1, column)]
    return error


def _lone_surrogate(text: str) -> int | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


class LimitChecker:
    """Measures documents against the limits, for one schema."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self._limits = limits
        self._weights = _introspection_weights(schema)
        standard = parse(get_introspection_query(schema_description=True, input_value_deprecation=True))
        operations, _ = self.measure(standard)
        self._max_introspection = limits.introspection * operations[0].introspection

    def measure(self, document: DocumentNode) -> tuple[list[DocumentSize], list[GraphQLError]]:
        """The size of each operation in order, and the errors that are not about sizes."""
        visitor = _SizeVisitor(document, self._weights, self._limits)
        return visitor.operations, visitor.errors

    def check(self, document: DocumentNode) -> tuple[list[DocumentSize], list[GraphQLError]]:
        """The size of each operation in order, and an error for every limit that the document exceeds."""
        operations, errors = self.measure(document)
        nodes = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        for node, size in zip(nodes, operations, strict=False):
            errors.extend(self._exceeded(node, size))
        selections = sum(size.selections for size in operations)
        if selections > self._limits.selections and not errors:
            message = (
                f"The document's operations select {_format_count(selections)} fields and fragments in all;"
                f" {self._limits.selections:,} are allowed. Send fewer operations at once."
            )
            largest = max(range(len(nodes)), key=lambda index: operations[index].selections)
            errors.append(graphql_error("FIELD_LIMIT", message, nodes[largest]))
        return operations, errors

    def _exceeded(self, node: OperationDefinitionNode, size: DocumentSize) -> Iterator[GraphQLError]:
        subject = f"Operation '{node.name.value}'" if node.name else "The operation"
        for name, code, noun, remedy in _LIMIT_MESSAGES:
            requested, allowed = getattr(size, name), getattr(self._limits, name)
            if requested > allowed:
                yield graphql_error(
                    code, f"{subject} has {_format_count(requested)} {noun}; {allowed:,} are allowed. {remedy}", node
                )
        if size.introspection > self._max_introspection:
            amount = f"more than {self._limits.introspection} standard introspection queries"
            yield graphql_error("COST_LIMIT", f"{subject} reads {amount}. Ask for fewer lists inside lists.", node)


class _SizeVisitor:
    """One visit of a document: fragments first, in the order in which they depend on one another."""

    def __init__(self, document: DocumentNode, weights: Mapping[str, float], limits: Limits) -> None:
        self.operations: list[DocumentSize] = []
        self.errors: list[GraphQLError] = []
        self._weights = weights
        self._limits = limits
        self._fragments: dict[str, DocumentSize] = {}
        definitions = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        try:
            order = list(TopologicalSorter({name: _spreads(node) for name, node in definitions.items()}).static_order())
        except CycleError as error:
            self.errors.append(_cycle_error(error.args[1], definitions))
            return
        for name in order:
            if node := definitions.get(name):
                self._fragments[name] = size = self._walk(node.selection_set, node.directives)
                if size.nesting > limits.nesting and not self.errors:
                    # Validation descends into fragments even where no operation does.
                    message = f"Fragment '{name}' has more than {limits.nesting} levels of selections and fragments."
                    self.errors.append(graphql_error("DEPTH_LIMIT", f"{message} Nest fewer fragments.", node))
        for definition in document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                size = self._walk(definition.selection_set, definition.directives)
                for variable in definition.variable_definitions or ():
                    size.directives += len(variable.directives or ())
                self.operations.append(size)

    def _walk(self, node: SelectionSetNode, directives: tuple[Node, ...] | None) -> DocumentSize:
        size = DocumentSize(directives=len(directives or ()))
        if not node.selections:
            message = "A selection is empty. Name a field, or drop the braces."
            self.errors.append(graphql_error("GRAPHQL_SYNTAX", message, node))
        for selection in node.selections:
            size.selections += 1
            if isinstance(selection, FieldNode):
                self._check_response_key(selection)
                size.directives += len(selection.directives or ())
                below = selection.selection_set
                inner = self._walk(below, None) if below else None
                size.select(selection, inner, self._weights.get(selection.name.value, 1))
            elif isinstance(selection, InlineFragmentNode):
                size.include(self._walk(selection.selection_set, selection.directives))
            elif isinstance(selection, FragmentSpreadNode):
                size.directives += len(selection.directives or ())
                # An unknown fragment counts nothing here; validation reports it.
                size.include(self._fragments.get(selection.name.value, _EMPTY))
        return size.saturate()

    def _check_response_key(self, field: FieldNode) -> None:
        node = field.alias or field.name
        length = len(node.value.encode())
        if length > self._limits.alias_bytes:
            message = (
                f"The response key '{node.value[:20]}…' has {length:,} bytes; {self._limits.alias_bytes} are allowed."
            )
            self.errors.append(graphql_error("ALIAS_TOO_LONG", f"{message} Choose a shorter alias.", node))


def _spreads(fragment: FragmentDefinitionNode) -> list[str]:
    """The names of all fragments that are spread inside this one."""
    names: list[str] = []
    open_sets = [fragment.selection_set]
    while open_sets:
        for selection in open_sets.pop().selections:
            if isinstance(selection, FragmentSpreadNode):
                names.append(selection.name.value)
            elif isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set:
                open_sets.append(selection.selection_set)
    return names


def _cycle_error(names: list[str], definitions: Mapping[str, FragmentDefinitionNode]) -> GraphQLError:
    # The sorter names the cycle from the spread fragment to the one that spreads it.
    path = " → ".join(f"'{name}'" for name in names[::-1][:10])
    message = f"The fragments {path} spread each other in a circle. Remove one of the spreads."
    return graphql_error("GRAPHQL_INVALID", message, definitions[names[0]])


@lru_cache(maxsize=2)
def _introspection_weights(schema: GraphQLSchema) -> Mapping[str, float]:
    """How many items each list of the introspection types has in this schema, on average; other fields weigh 1."""
    types = schema.type_map.values()
    composite = [t for t in types if isinstance(t, GraphQLObjectType | GraphQLInterfaceType)]
    fields = [field for t in composite for field in t.fields.values()]
    arguments = [argument for field in fields for argument in field.args.values()]
    input_types = [
        t for argument in arguments if isinstance(t := get_named_type(argument.type), GraphQLInputObjectType)
    ]
    largest = max(sum(1 + len(field.args) for field in t.fields.values()) for t in composite)
    weights = {
        "types": len(types),
        "directives": len(schema.directives),
        "fields": len(fields) / len(types),
        "args": len(arguments) / len(fields),
        "interfaces": sum(len(t.interfaces) for t in composite) / len(types),
        "possibleTypes": sum(len(schema.get_possible_types(t)) for t in types if is_abstract_type(t)) / len(types),
        "inputFields": sum(len(t.fields) for t in input_types) / max(1, len(arguments)),
        "enumValues": sum(len(t.values) for t in types if isinstance(t, GraphQLEnumType)) / len(types),
        # The standard query follows nine wrappers; a type seldom has more than one.
        "ofType": 0.5,
    }
    # A type that is selected by name may be the largest one, and root types often are.
    by_name = largest * len(types) / (len(fields) + len(arguments))
    return weights | dict.fromkeys(("__type", "queryType", "mutationType", "subscriptionType"), by_name)


def _format_count(count: int) -> str:
    return f"{count:,}" if count < COUNT_CAP else f"more than {COUNT_CAP:,}"


def graphql_error(
    code: str,
    message: str,
    node: Node | None = None,
    *,
    source: Source | None = None,
    positions: list[int] | None = None,
) -> GraphQLError:
    """An error of the document with its code."""
    return GraphQLError(message, node, source, positions, extensions={"code": code})


def node_locations(node: Node) -> tuple[tuple[int, int], ...]:
    """Line and column of a node; empty if the document was parsed without locations."""
    if node.loc is None:
        return ()
    location = get_location(node.loc.source, node.loc.start)
    return ((location.line, location.column),)
