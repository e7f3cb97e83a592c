"""From query text to a document that is parsed, valid, within the limits and kept for the next time.

Knows graphql-core and one schema; no subject, no SQL, no viewer. What is checked is in limits.py and rules.py, what an
operation costs in cost.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    Undefined,
    assert_valid_schema,
    coerce_input_literal,
    parse,
    type_from_ast,
)

from hub.engine.cache import Shelf
from hub.engine.document.coercion import Coerce, Coercers
from hub.engine.document.cost import Cost, Tariff
from hub.engine.document.limits import Bounds, Extent, Limits, scan
from hub.engine.document.validation import Rules
from hub.errors import BadInput, LimitExceeded

Kind = Literal["query", "mutation", "subscription"]

# Measured: a parsed token with its places takes 320 to 440 bytes; the rest is text, names and the records here.
_TOKEN_BYTES = 450
_BASE_BYTES = 4_096
# Values are quoted in messages; nobody reads further than this.
_TOLD = 400


class DocumentError(Exception):
    """The text is no document that can be run; each error has its code and, where it has one, its place in the text."""

    def __init__(self, errors: Iterable[GraphQLError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(error.message for error in self.errors))

    @property
    def codes(self) -> list[str]:
        return [str((error.extensions or {})["code"]) for error in self.errors]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that an operation declares; `default` is Undefined when there is none."""

    name: str
    type: GraphQLInputType
    default: object
    coerce: Coerce


@dataclass(slots=True, eq=False)
class Operation:
    """One operation of a document, ready to be planned."""

    name: str
    kind: Kind
    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: tuple[Variable, ...]
    has_introspection: bool
    # Nothing but the schema is asked for; `__typename` may stand beside it.
    introspection_only: bool
    _cost: Cost
    _allowed: int
    _defaults: Mapping[str, object]
    # Where the planner keeps what it made of this operation; it bounds them.
    plans: dict[object, object] = field(default_factory=dict)

    def cost(self, variables: Mapping[str, object]) -> int:
        """Rows the operation could touch with these coerced values; refuses what costs more than is allowed."""
        requested = self._cost.evaluate({**self._defaults, **variables})
        if requested > self._allowed:
            raise LimitExceeded(
                f"The operation could touch {requested:,} rows; {self._allowed:,} are allowed."
                " Ask for smaller pages (first, last) or for fewer lists inside lists.",
                code="COST_LIMIT",
                extensions={"requested": requested, "allowed": self._allowed},
            )
        return requested

    def coerced(self, given: Mapping[str, object]) -> Mapping[str, object] | None:
        """The variables' values if all of them fit; None otherwise, where graphql-core tells best what is wrong."""
        found: dict[str, object] = {}
        for each in self.variables:
            value = given.get(each.name, Undefined)
            value = each.default if value is Undefined else each.coerce(value)
            if value is not Undefined:
                found[each.name] = value
            elif each.name in given or isinstance(each.type, GraphQLNonNull):
                return None
        return found


@dataclass(slots=True, eq=False)
class Document:
    """A valid document, and about how much memory it takes."""

    text: str
    operations: Mapping[str | None, Operation]
    bytes: int

    def operation(self, name: str | None) -> Operation:
        """The operation of this name, or the only one."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        found = self.operations.get(name)
        if found is None:
            choices = ", ".join(repr(choice) for choice in list(self.operations)[:10] if choice is not None)
            fault = "has several operations" if name is None else f"has no operation {name[:63]!r}"
            remedy = f"set operationName to one of {choices}" if choices else "leave operationName out"
            raise BadInput(
                f"The document {fault}; {remedy}.",
                code="OPERATION_UNKNOWN",
                argument="operationName",
            )
        return found


class Documents:
    """Reads texts into documents; remembers the good ones and, apart from them, what was wrong with others."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, cache_bytes: int) -> None:
        assert_valid_schema(schema)
        self._schema = schema
        self._limits = limits
        self._bounds = Bounds(schema, limits)
        self._rules = Rules(schema, limits)
        self._tariff = Tariff(schema, limits)
        self._coercers = Coercers()
        self._documents: Shelf[Document] = Shelf(cache_bytes)
        self._refusals: Shelf[Sequence[GraphQLError]] = Shelf(cache_bytes // 16)

    def get(self, text: str) -> Document:
        """The document of this text; raises DocumentError."""
        document = self._documents.get(text)
        if document is not None:
            return document
        if refused := self._refusals.get(text):
            raise DocumentError(refused)
        try:
            document = self._read(text)
        except DocumentError as error:
            # A text that is too long is refused faster than it is found again.
            if len(text) <= self._limits.text:
                size = len(text) + sum(_BASE_BYTES + len(told.message) for told in error.errors)
                self._refusals.put(text, error.errors, size)
            raise
        self._documents.put(text, document, document.bytes)
        return document

    def _read(self, text: str) -> Document:
        limits = self._limits
        if error := scan(text, limits):
            raise DocumentError([error])
        try:
            tree = parse(text, max_lexical_tokens=limits.tokens)
        except GraphQLSyntaxError as error:
            error.extensions = {"code": "GRAPHQL_SYNTAX"}
            raise DocumentError(_told([error], limits.errors)) from None
        extents, errors = self._bounds.check(tree)
        if errors := errors or self._rules.check(tree):
            raise DocumentError(_told(errors, limits.errors))
        return self._document(text, tree, extents)

    def _document(self, text: str, tree: DocumentNode, extents: list[Extent]) -> Document:
        fragments = {node.name.value: node for node in tree.definitions if isinstance(node, FragmentDefinitionNode)}
        nodes = [node for node in tree.definitions if isinstance(node, OperationDefinitionNode)]
        operations = {
            node.name.value if node.name else None: self._operation(node, fragments, extent)
            for node, extent in zip(nodes, extents, strict=True)
        }
        size = _BASE_BYTES + len(text) + _TOKEN_BYTES * tree.token_count
        return Document(text, operations, size)

    def _operation(
        self, node: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode], extent: Extent
    ) -> Operation:
        variables = tuple(self._variables(node))
        return Operation(
            name=node.name.value if node.name else "",
            kind=node.operation.value,
            node=node,
            fragments=fragments,
            variables=variables,
            has_introspection=extent.introspection > 0,
            introspection_only=extent.introspection > 0 and extent.stored_fields == 0,
            _cost=self._tariff.price(node, fragments),
            _allowed=self._limits.cost,
            _defaults={variable.name: variable.default for variable in variables if variable.default is not Undefined},
        )

    def _variables(self, node: OperationDefinitionNode) -> Iterable[Variable]:
        for definition in node.variable_definitions or ():
            kind = cast(GraphQLInputType, type_from_ast(self._schema, definition.type))
            value = definition.default_value
            default = coerce_input_literal(value, kind) if value else Undefined
            yield Variable(definition.variable.name.value, kind, default, self._coercers.of(kind))


def _told(errors: list[GraphQLError], most: int) -> list[GraphQLError]:
    """The errors as they are told and kept: the first few, cut to length, without the tree they point into."""
    told = []
    for error in errors[:most]:
        message = error.message if len(error.message) <= _TOLD else error.message[:_TOLD] + "…"
        light = GraphQLError(message, extensions=error.extensions)
        light.locations = error.locations
        told.append(light)
    return told
