"""From query text to a document that is parsed, valid and within the limits. Documents are cached by their text.

It knows graphql-core and one schema, but no entity, SQL or viewer. The checks are in limits.py, validation.py and cost.py.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLID,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    Undefined,
    assert_valid_schema,
    coerce_input_literal,
    get_nullable_type,
    parse,
    type_from_ast,
)

from hub.engine.cache import ByteBudgetCache
from hub.engine.document.coercion import CoerceFunction, InputCoercers
from hub.engine.document.cost import CostFormula, CostModel
from hub.engine.document.cost_report import cost_error
from hub.engine.document.limits import DocumentSize, LimitChecker, Limits, node_locations, scan_text
from hub.engine.document.validation import DocumentValidator
from hub.errors import BadInput, LimitExceeded

OperationType = Literal["query", "mutation", "subscription"]

# Measured: a parsed token with its locations takes 320 to 440 bytes; the rest is text, names and these records.
_TOKEN_BYTES = 450
_BASE_BYTES = 4_096
# Messages quote values; a longer message helps nobody.
_MAX_MESSAGE_LENGTH = 400


class InvalidDocument(Exception):
    """The text is not a document that can be executed. Each error has a code and, where possible, its location in the text."""

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
    coerce: CoerceFunction
    is_text: bool  # its type has every text as it is


@dataclass(slots=True, eq=False)
class Operation:
    """One operation of a valid document."""

    name: str
    operation_type: OperationType
    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    schema: GraphQLSchema  # that it is valid for
    variables: tuple[Variable, ...]
    has_introspection: bool
    # Only the schema is selected, and perhaps `__typename`.
    introspection_only: bool
    bytes: int  # about the memory that it takes, with the fragments
    _cost: CostFormula
    _cost_model: CostModel
    _max_cost: int
    _defaults: Mapping[str, object]
    document_hash: str  # SHA-256 of the document's text, in hexadecimal digits
    # Results that later stages cache with this operation; each bounds its own entries.
    cache: dict[object, object] = field(default_factory=dict)

    def cost(self, variables: Mapping[str, object]) -> int:
        """The rows that the operation could touch with these coerced values; raises LimitExceeded above the limit."""
        values = {**self._defaults, **variables}
        requested = self._cost.evaluate(values)
        if requested > self._max_cost:
            raise cost_error(self._cost_model, self.node, self.fragments, values, requested, self._max_cost)
        return requested

    def over_budget(self, variables: Mapping[str, object], requested: int, capacity: int) -> LimitExceeded:
        """The error of an operation that costs more than a client's budget can hold: no waiting helps."""
        values = {**self._defaults, **variables}
        error = cost_error(self._cost_model, self.node, self.fragments, values, requested, capacity)
        error.code = "COST_ABOVE_BUDGET"
        error.message = f"This key's budget never holds enough for the operation. {error.message}"
        return error

    def try_coerce(self, values: Mapping[str, object]) -> Mapping[str, object] | None:
        """The variables' values if all of them fit; None otherwise, because graphql-core writes the error messages."""
        coerced: dict[str, object] = {}
        for variable in self.variables:
            value = values.get(variable.name, Undefined)
            value = variable.default if value is Undefined else variable.coerce(value)
            if value is not Undefined:
                coerced[variable.name] = value
            elif variable.name in values or isinstance(variable.type, GraphQLNonNull):
                return None
        return coerced


@dataclass(slots=True, eq=False)
class Document:
    """A valid document, and the memory that it takes, estimated in bytes."""

    text: str
    operations: Mapping[str | None, Operation]
    bytes: int

    def operation(self, name: str | None) -> Operation:
        """The operation of this name, or the only one; raises BadInput."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        operation = self.operations.get(name)
        if operation is None:
            choices = ", ".join(repr(choice) for choice in list(self.operations)[:10] if choice is not None)
            problem = "has several operations" if name is None else f"has no operation {name[:63]!r}"
            remedy = f"set operationName to one of {choices}" if choices else "leave operationName out"
            error = BadInput(f"The document {problem}; {remedy}.", code="OPERATION_UNKNOWN", argument="operationName")
            nodes = [candidate.node for candidate in self.operations.values()]
            error.locations = node_locations(nodes[-1]) if nodes else ()
            raise error
        return operation


class DocumentStore:
    """Parses and validates documents. It caches valid ones and, separately, the errors of invalid ones."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, cache_bytes: int) -> None:
        assert_valid_schema(schema)
        self._schema = schema
        self._limits = limits
        self._limit_checker = LimitChecker(schema, limits)
        self._prepare(cache_bytes)

    def _prepare(self, cache_bytes: int) -> None:
        self._validator = DocumentValidator(self._schema, self._limits)
        self._cost_model = CostModel(self._schema, self._limits)
        self._input_coercers = InputCoercers()
        self._documents: ByteBudgetCache[Document] = ByteBudgetCache(cache_bytes)
        self._invalid_documents: ByteBudgetCache[Sequence[GraphQLError]] = ByteBudgetCache(cache_bytes // 16)

    def narrowed(self, schema: GraphQLSchema, cache_bytes: int) -> "DocumentStore":
        """A store for a part of the schema, with the same limits."""
        store = object.__new__(DocumentStore)
        store._schema, store._limits, store._limit_checker = schema, self._limits, self._limit_checker
        store._prepare(cache_bytes)
        return store

    def get(self, text: str) -> Document:
        """The document of this text; raises InvalidDocument."""
        outcome = self.lookup(text)
        if outcome is None:
            outcome = self.check(text)
            self.store(text, outcome)
        if isinstance(outcome, InvalidDocument):
            raise InvalidDocument(outcome.errors)
        return outcome

    def lookup(self, text: str) -> Document | InvalidDocument | None:
        """The cached outcome for this text; None if there is none."""
        document = self._documents.get(text)
        if document is not None:
            return document
        errors = self._invalid_documents.get(text)
        return InvalidDocument(errors) if errors else None

    def check(self, text: str) -> Document | InvalidDocument:
        """Parses and validates a text. It may run in a thread: it touches no cache."""
        try:
            return self._parse(text)
        except InvalidDocument as error:
            return InvalidDocument(error.errors)  # without the traceback

    def store(self, text: str, outcome: Document | InvalidDocument) -> None:
        """Caches the outcome of a check."""
        if not isinstance(outcome, InvalidDocument):
            self._documents.put(text, outcome, outcome.bytes)
        elif len(text) <= self._limits.text:  # refusing a text that is too long is faster than looking it up
            size = len(text) + sum(_BASE_BYTES + len(reported.message) for reported in outcome.errors)
            self._invalid_documents.put(text, outcome.errors, size)

    def _parse(self, text: str) -> Document:
        limits = self._limits
        if error := scan_text(text, limits):
            raise InvalidDocument([error])
        try:
            tree = parse(text, max_lexical_tokens=limits.tokens)
        except GraphQLSyntaxError as error:
            error.extensions = {"code": "GRAPHQL_SYNTAX"}
            raise InvalidDocument(_clipped([error], limits.errors)) from None
        try:
            sizes, errors = self._limit_checker.check(tree)
            if errors := errors or self._validator.check(tree, has_variables="$" in text):
                raise InvalidDocument(_clipped(errors, limits.errors))
            return self._document(text, tree, sizes)
        finally:
            _unlink_tokens(tree)

    def _document(self, text: str, tree: DocumentNode, sizes: list[DocumentSize]) -> Document:
        fragments = {node.name.value: node for node in tree.definitions if isinstance(node, FragmentDefinitionNode)}
        nodes = [node for node in tree.definitions if isinstance(node, OperationDefinitionNode)]
        size = _BASE_BYTES + len(text) + _TOKEN_BYTES * tree.token_count
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        operations = {
            node.name.value if node.name else None: self._operation(node, fragments, operation_size, size, digest)
            for node, operation_size in zip(nodes, sizes, strict=True)
        }
        return Document(text, operations, size)

    def _operation(
        self,
        node: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        size: DocumentSize,
        document_bytes: int,
        document_hash: str,
    ) -> Operation:
        variables = tuple(self._variables(node))
        return Operation(
            name=node.name.value if node.name else "",
            operation_type=node.operation.value,
            node=node,
            fragments=fragments,
            schema=self._schema,
            variables=variables,
            has_introspection=size.introspection > 0,
            introspection_only=size.introspection > 0 and size.stored_fields == 0,
            bytes=document_bytes,
            _cost=self._cost_model.cost_of(node, fragments),
            _cost_model=self._cost_model,
            _max_cost=self._limits.cost,
            _defaults={variable.name: variable.default for variable in variables if variable.default is not Undefined},
            document_hash=document_hash,
        )

    def _variables(self, node: OperationDefinitionNode) -> Iterable[Variable]:
        for definition in node.variable_definitions or ():
            input_type = cast(GraphQLInputType, type_from_ast(self._schema, definition.type))
            value = definition.default_value
            default = coerce_input_literal(value, input_type) if value else Undefined
            is_text = get_nullable_type(input_type) in (GraphQLID, GraphQLString)
            coerce = self._input_coercers.for_type(input_type)
            yield Variable(definition.variable.name.value, input_type, default, coerce, is_text)


def _unlink_tokens(tree: DocumentNode) -> None:
    """Unlinks the tokens of a document, which nobody reads after validation: lists linked both ways are reference cycles."""
    token = tree.loc.start_token if tree.loc else None
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following


def _clipped(errors: list[GraphQLError], limit: int) -> list[GraphQLError]:
    """The errors as they are reported and cached: the first few, cut to length, without references to the syntax tree."""
    clipped = []
    for error in errors[:limit]:
        message = (
            error.message if len(error.message) <= _MAX_MESSAGE_LENGTH else error.message[:_MAX_MESSAGE_LENGTH] + "…"
        )
        copy = GraphQLError(message, extensions=error.extensions)
        copy.locations = error.locations
        clipped.append(copy)
    return clipped
