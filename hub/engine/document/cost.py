"""What an operation could touch, in rows: a sum of products of page sizes, which new variable values only re-evaluate.

An object costs 1. A connection costs its page times what is selected of one row, where `nodes`, `edges` and an edge's `node`
are that row, and `pageInfo` alone still reads the page; so do the `results` of as many `rows` as a mutation is given. Another
list costs Limits.rows, or as many as its `ids`. Leaves cost nothing. `extensions["cost"]` of a field is added where it stands.
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

from hub.engine.document.limits import Limits

# Costs stop growing here.
PRICELESS = 1_000_000_000

_Composite = GraphQLObjectType | GraphQLInterfaceType


@dataclass(frozen=True, slots=True)
class Factor:
    """How many rows a list has: the greatest number written or sent, or else what is assumed."""

    variables: tuple[str, ...]
    written: int | None
    assumed: int

    def rows(self, values: Mapping[str, object]) -> int:
        given = [rows for name in self.variables if (rows := _rows(values.get(name))) is not None]
        if self.written is not None:
            given.append(self.written)
        return min(max(0, *given), PRICELESS) if given else self.assumed


# A sum of products: the factors that only variables settle → how often their product counts.
Terms = dict[tuple[Factor, ...], int]
_ONE: Terms = {(): 1}


@dataclass(slots=True)
class _Price:
    """What a selection costs once, and, on a connection, for each row of its page."""

    once: Terms = field(default_factory=dict)
    each: Terms = field(default_factory=dict)
    reads_page: bool = False

    def include(self, other: "_Price") -> None:
        _add(self.once, other.once)
        _add(self.each, other.each)
        self.reads_page |= other.reads_page


class Cost:
    """The cost of one operation, ready for any values of its variables."""

    __slots__ = ("_base", "_factors", "_products")

    def __init__(self, terms: Terms) -> None:
        self._base = terms.get((), 0)
        self._factors = tuple({factor: None for product in terms for factor in product})
        places = {factor: place for place, factor in enumerate(self._factors)}
        self._products = tuple((n, tuple(places[f] for f in product)) for product, n in terms.items() if product)

    def evaluate(self, values: Mapping[str, object]) -> int:
        total = self._base
        if self._products:
            rows = [factor.rows(values) for factor in self._factors]
            for product, places in self._products:
                for place in places:
                    product *= rows[place]
                total += product
        return min(total, PRICELESS)


class Tariff:
    """What the fields of one schema cost; prices whole operations, which must be valid and within the limits."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self.types = schema.type_map
        self._roots = schema.get_root_type
        self._limits = limits
        composite = [t for t in schema.type_map.values() if isinstance(t, _Composite)]
        fields = [definition for t in composite for definition in t.fields.values()]
        connections = {get_named_type(d.type) for d in fields if (_paged(d) and not _is_list(d.type)) or _bulk(d)}
        for t in composite:
            if isinstance(t, GraphQLInterfaceType) and connections.issuperset(schema.get_possible_types(t)):
                connections.add(t)
        self.connections = frozenset(connections)
        edges = {get_named_type(t.fields["edges"].type) for t in composite if t in connections and "edges" in t.fields}
        self._edges = frozenset(edges)

    def price(self, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Cost:
        walk = _Walk(self, fragments)
        return Cost(walk.selection(operation.selection_set, self._roots(operation.operation)).once)

    def object(self, node: FieldNode, parent: _Composite, below: _Price) -> _Price:
        """The price of a field that is no leaf, given the price of what is selected below it."""
        definition = parent.fields[node.name.value]
        own: int | None = definition.extensions.get("cost")
        price = _Price(once={(): own} if own else {})
        rows = dict(below.once)
        if get_named_type(definition.type) in self.connections:
            page = below.each or (_ONE if below.reads_page else {})
            _add(rows, self._times(page, self._factor(definition, node)))
        elif parent not in self._edges and (parent not in self.connections or _is_list(definition.type)):
            _add(rows, _ONE)
        if not _is_list(definition.type):
            _add(price.once, rows)
            price.reads_page = parent in self.connections and own is None
        elif parent in self.connections:
            _add(price.each, rows)
        else:
            _add(price.once, self._times(rows, self._factor(definition, node)))
        return price

    def _times(self, terms: Terms, factor: Factor) -> Terms:
        if factor.variables:
            return {(*product, factor): n for product, n in terms.items()}
        rows = factor.rows({})
        return {product: min(n * rows, PRICELESS) for product, n in terms.items()}

    def _factor(self, definition: GraphQLField, node: FieldNode) -> Factor:
        names = _PAGE if _paged(definition) else ("input",) if _bulk(definition) else ("ids",)
        given = [_counted(argument.value) for argument in node.arguments or () if argument.name.value in names]
        variables = tuple(value.name.value for value in given if isinstance(value, VariableNode))
        written = [rows for value in given if (rows := _written(value)) is not None]
        defaults = [rows for name in names if (rows := _default(definition.args.get(name))) is not None]
        assumed = self._limits.default_page if names is _PAGE else self._limits.rows
        return Factor(variables, max(written, default=None), max(defaults, default=assumed))


class _Walk:
    """Prices the selections of one operation; a fragment always stands on its own type, so its price is kept."""

    def __init__(self, tariff: Tariff, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._tariff = tariff
        self._fragments = fragments
        self._prices: dict[str, _Price] = {}

    def selection(self, node: SelectionSetNode, parent: GraphQLNamedType | None) -> _Price:
        price = _Price()
        for selection in node.selections:
            if isinstance(selection, FragmentSpreadNode):
                price.include(self._fragment(selection.name.value))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = self._tariff.types[condition.name.value] if condition else parent
                price.include(self.selection(selection.selection_set, inner))
            elif isinstance(selection, FieldNode) and isinstance(parent, _Composite):
                price.include(self._field(selection, parent))
        return price

    def _field(self, node: FieldNode, parent: _Composite) -> _Price:
        name = node.name.value
        if name.startswith("__"):
            return _Price()
        definition = parent.fields[name]
        if node.selection_set is None:
            own = definition.extensions.get("cost")
            return _Price(once={(): own} if own else {})
        below = self.selection(node.selection_set, get_named_type(definition.type))
        return self._tariff.object(node, parent, below)

    def _fragment(self, name: str) -> _Price:
        if name not in self._prices:
            fragment = self._fragments[name]
            parent = self._tariff.types[fragment.type_condition.name.value]
            self._prices[name] = self.selection(fragment.selection_set, parent)
        return self._prices[name]


_PAGE = ("first", "last")


def _paged(definition: GraphQLField) -> bool:
    return "first" in definition.args or "last" in definition.args


def _bulk(definition: GraphQLField) -> bool:
    """Whether it is a mutation of many rows, which are given to it as `rows` of its input."""
    given = definition.args.get("input")
    of = get_nullable_type(given.type) if given is not None else None
    return isinstance(of, GraphQLInputObjectType) and "rows" in of.fields


def _counted(value: ValueNode) -> ValueNode:
    """What says how many rows there are: the value itself, or the `rows` of an input that is written out."""
    if isinstance(value, ObjectValueNode):
        return next((each.value for each in value.fields if each.name.value == "rows"), value)
    return value


def _is_list(kind: GraphQLOutputType) -> bool:
    return is_list_type(get_nullable_type(kind))


def _add(terms: Terms, more: Terms) -> None:
    for product, n in more.items():
        terms[product] = min(terms.get(product, 0) + n, PRICELESS)


def _rows(value: object) -> int | None:
    """How many rows a value of `first`, `last`, `ids` or `rows` stands for; a single one may stand for a list of one."""
    if isinstance(value, dict) and "rows" in value:
        value = value["rows"]
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return len(value)
    return value if isinstance(value, int) else 1


def _written(node: ValueNode) -> int | None:
    if isinstance(node, VariableNode | NullValueNode):
        return None
    if isinstance(node, IntValueNode):
        return int(node.value) if len(node.value) < 12 else PRICELESS
    return len(node.values) if isinstance(node, ListValueNode) else 1


def _default(argument: GraphQLArgument | None) -> int | None:
    if argument is None:
        return None
    given = argument.default
    if given is not None and given.literal is not None:
        return _written(given.literal)
    value = argument.default_value if given is None else given.value
    return None if value is Undefined else _rows(value)
