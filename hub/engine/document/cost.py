"""The cost of an operation in rows: a sum of products of page sizes. New values of the variables only re-evaluate it.

An object costs 1, a leaf nothing. A connection costs its page size times the selection of one row: `nodes`, `edges` and an
edge's `node` are that row, and `pageInfo` alone still reads the page. The `results` of a mutation cost as many rows as its
input has. Any other list costs Limits.rows, or the number of its `ids`. A field's `extensions["cost"]` is added to that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from hub.engine.catalog.page_sizes import NESTED_PAGE, ROOT_PAGE
from hub.engine.document.limits import Limits

# Costs are capped here.
COST_CAP = 1_000_000_000

ObjectOrInterface = GraphQLObjectType | GraphQLInterfaceType


@dataclass(frozen=True, slots=True)
class ListSize:
    """How many rows a list has: the greatest number in the document or the variables, else an assumed number."""

    variables: tuple[str, ...]
    literal: int | None
    assumed: int

    def rows(self, values: Mapping[str, object]) -> int:
        sizes = [rows for name in self.variables if (rows := _value_size(values.get(name))) is not None]
        if self.literal is not None:
            sizes.append(self.literal)
        return min(max(0, *sizes), COST_CAP) if sizes else self.assumed


# A sum of products: the factors that depend on variables → the coefficient of their product.
Terms = dict[tuple[ListSize, ...], int]
_ONE: Terms = {(): 1}


@dataclass(slots=True)
class _SelectionCost:
    """The cost of a selection: a fixed part and, on a connection, a part for each row of its page."""

    fixed: Terms = field(default_factory=dict)
    per_row: Terms = field(default_factory=dict)
    reads_page: bool = False

    def include(self, other: "_SelectionCost") -> None:
        _add(self.fixed, other.fixed)
        _add(self.per_row, other.per_row)
        self.reads_page |= other.reads_page


class CostFormula:
    """The cost of one operation for any values of its variables."""

    __slots__ = ("_base", "_factors", "_products")

    def __init__(self, terms: Terms) -> None:
        self._base = terms.get((), 0)
        self._factors = tuple({factor: None for product in terms for factor in product})
        indexes = {factor: index for index, factor in enumerate(self._factors)}
        self._products = tuple((n, tuple(indexes[f] for f in product)) for product, n in terms.items() if product)

    def evaluate(self, values: Mapping[str, object]) -> int:
        total = self._base
        if self._products:
            rows = [factor.rows(values) for factor in self._factors]
            for product, indexes in self._products:
                for index in indexes:
                    product *= rows[index]
                total += product
        return min(total, COST_CAP)


class CostModel:
    """The cost of the fields of one schema. It prices operations that are valid and within the limits."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self.types = schema.type_map
        self.root_type = schema.get_root_type
        self._root_types = {schema.query_type, schema.mutation_type, schema.subscription_type}
        self._limits = limits
        composite = [t for t in schema.type_map.values() if isinstance(t, ObjectOrInterface)]
        fields = [definition for t in composite for definition in t.fields.values()]
        connections = {get_named_type(d.type) for d in fields if (_is_paged(d) and not is_list(d.type)) or _is_bulk(d)}
        for t in composite:
            if isinstance(t, GraphQLInterfaceType) and connections.issuperset(schema.get_possible_types(t)):
                connections.add(t)
        self.connections = frozenset(connections)
        edges = {get_named_type(t.fields["edges"].type) for t in composite if t in connections and "edges" in t.fields}
        self._edges = frozenset(edges)

    def cost_of(
        self, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> CostFormula:
        visitor = _CostVisitor(self, fragments)
        return CostFormula(visitor.selection_cost(operation.selection_set, self.root_type(operation.operation)).fixed)

    def object_cost(self, node: FieldNode, parent: ObjectOrInterface, below: _SelectionCost) -> _SelectionCost:
        """The price of a field that is no leaf, from the price of its selection."""
        definition = parent.fields[node.name.value]
        extra: int | None = definition.extensions.get("cost")
        cost = _SelectionCost(fixed={(): extra} if extra else {})
        if self.is_unpaged_connection(definition, parent):
            cost.include(below)
            return cost
        rows = dict(below.fixed)
        if get_named_type(definition.type) in self.connections:
            page = below.per_row or (_ONE if below.reads_page else {})
            _add(rows, self._multiplied(page, self.list_size(definition, node, parent)))
        elif parent not in self._edges and (parent not in self.connections or is_list(definition.type)):
            _add(rows, _ONE)
        if not is_list(definition.type):
            _add(cost.fixed, rows)
            cost.reads_page = parent in self.connections and extra is None
        elif parent in self.connections:
            _add(cost.per_row, rows)
        else:
            _add(cost.fixed, self._multiplied(rows, self.list_size(definition, node, parent)))
        return cost

    def is_unpaged_connection(self, definition: GraphQLField, parent: ObjectOrInterface) -> bool:
        """Whether the field is a connection whose page the field above it determines: the answer of a live query."""
        return (
            parent in self.connections and get_named_type(definition.type) in self.connections and not definition.args
        )

    def _multiplied(self, terms: Terms, factor: ListSize) -> Terms:
        if factor.variables:
            return {(*product, factor): n for product, n in terms.items()}
        rows = factor.rows({})
        return {product: min(n * rows, COST_CAP) for product, n in terms.items()}

    def list_size(self, definition: GraphQLField, node: FieldNode, parent: ObjectOrInterface) -> ListSize:
        """How many rows a list or connection has."""
        names = _PAGE_ARGUMENTS if _is_paged(definition) else ("input",) if _is_bulk(definition) else ("ids",)
        values = [_size_source(argument.value) for argument in node.arguments or () if argument.name.value in names]
        variables = tuple(value.name.value for value in values if isinstance(value, VariableNode))
        literals = [rows for value in values if (rows := _literal_size(value)) is not None]
        defaults = [rows for name in names if (rows := _default_size(definition.args.get(name))) is not None]
        default_page = ROOT_PAGE if parent in self._root_types else NESTED_PAGE
        assumed = default_page if names is _PAGE_ARGUMENTS else self._limits.rows
        return ListSize(variables, max(literals, default=None), max(defaults, default=assumed))


class _CostVisitor:
    """Prices the selections of one operation. A fragment always applies to its own type, so its price is cached."""

    def __init__(self, cost_model: CostModel, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._cost_model = cost_model
        self._fragments = fragments
        self._costs: dict[str, _SelectionCost] = {}

    def selection_cost(self, node: SelectionSetNode, parent: GraphQLNamedType | None) -> _SelectionCost:
        cost = _SelectionCost()
        for selection in node.selections:
            if isinstance(selection, FragmentSpreadNode):
                cost.include(self._fragment_cost(selection.name.value))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = self._cost_model.types[condition.name.value] if condition else parent
                cost.include(self.selection_cost(selection.selection_set, inner))
            elif isinstance(selection, FieldNode) and isinstance(parent, ObjectOrInterface):
                cost.include(self._field_cost(selection, parent))
        return cost

    def _field_cost(self, node: FieldNode, parent: ObjectOrInterface) -> _SelectionCost:
        name = node.name.value
        if name.startswith("__"):
            return _SelectionCost()
        definition = parent.fields[name]
        if node.selection_set is None:
            extra = definition.extensions.get("cost")
            return _SelectionCost(fixed={(): extra} if extra else {})
        below = self.selection_cost(node.selection_set, get_named_type(definition.type))
        return self._cost_model.object_cost(node, parent, below)

    def _fragment_cost(self, name: str) -> _SelectionCost:
        if name not in self._costs:
            fragment = self._fragments[name]
            parent = self._cost_model.types[fragment.type_condition.name.value]
            self._costs[name] = self.selection_cost(fragment.selection_set, parent)
        return self._costs[name]


_PAGE_ARGUMENTS = ("first", "last")


def _is_paged(definition: GraphQLField) -> bool:
    return "first" in definition.args or "last" in definition.args


def _is_bulk(definition: GraphQLField) -> bool:
    """Whether the field is a bulk mutation, with `rows` in its input."""
    argument = definition.args.get("input")
    input_type = get_nullable_type(argument.type) if argument is not None else None
    return isinstance(input_type, GraphQLInputObjectType) and "rows" in input_type.fields


def _size_source(value: ValueNode) -> ValueNode:
    """The node that determines the number of rows: the value itself, or the `rows` of an input literal."""
    if isinstance(value, ObjectValueNode):
        return next((object_field.value for object_field in value.fields if object_field.name.value == "rows"), value)
    return value


def is_list(type_: GraphQLOutputType) -> bool:
    """Whether the type is a list, null or not."""
    return is_list_type(get_nullable_type(type_))


def _add(terms: Terms, more: Terms) -> None:
    for product, n in more.items():
        terms[product] = min(terms.get(product, 0) + n, COST_CAP)


def _value_size(value: object) -> int | None:
    """How many rows a value of `first`, `last`, `ids` or `rows` means; a single value may be a list of one."""
    if isinstance(value, dict) and "rows" in value:
        value = value["rows"]
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return len(value)
    return value if isinstance(value, int) else 1


def _literal_size(node: ValueNode) -> int | None:
    if isinstance(node, VariableNode | NullValueNode):
        return None
    if isinstance(node, IntValueNode):
        return int(node.value) if len(node.value) < 12 else COST_CAP
    return len(node.values) if isinstance(node, ListValueNode) else 1


def _default_size(argument: GraphQLArgument | None) -> int | None:
    if argument is None:
        return None
    default = argument.default
    if default is not None and default.literal is not None:
        return _literal_size(default.literal)
    value = argument.default_value if default is None else default.value
    return None if value is Undefined else _value_size(value)
