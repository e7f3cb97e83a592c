"""Counts, costs and verdicts on made-up documents are those of the naive way: expand every fragment, then look."""

from collections.abc import Iterator, Mapping

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    build_schema,
    get_introspection_query,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    parse,
    validate,
    value_from_ast_untyped,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.engine.document.cost import COST_CAP, CostModel
from hub.engine.document.limits import COUNT_CAP, LimitChecker, Limits
from hub.engine.document.validation import DocumentValidator

SCHEMA = build_schema("""
  interface Thing { id: ID! }
  type Query { a: A! aa(first: Int = 6, last: Int): AConnection! many(ids: [ID!]!): [Thing]! n: Int top(last: Int): [B]}
  type A implements Thing { id: ID! n(x: Int): Int b: B bb(first: Int, last: Int): BConnection! list: [B!]! }
  type B implements Thing { id: ID! n: Int a: A! aa(first: Int): AConnection! }
  type AConnection { nodes: [A!]! edges: [AEdge!]! page: Page! total: Int! sum: Page! }
  type AEdge { node: A! cursor: ID! }
  type BConnection { nodes: [B!]! edges: [BEdge!]! page: Page! }
  type BEdge { node: B! }
  type Page { more: Boolean! }
""")
OWN = {("AConnection", "total"): 5, ("AConnection", "sum"): 7, ("A", "list"): 2}
LIMITS = Limits()
SelectableType = GraphQLObjectType | GraphQLInterfaceType


def composite(name: str) -> SelectableType:
    type_ = SCHEMA.type_map[name]
    assert isinstance(type_, SelectableType)
    return type_


for (owner, field_name), own_cost in OWN.items():
    composite(owner).fields[field_name].extensions = {"cost": own_cost}


# made-up documents

FRAGMENTS = [("F", "Query"), ("G", "A"), ("H", "B"), ("I", "AConnection"), ("J", "Thing"), ("K", "A")]
ROWS = st.sampled_from(["1", "3", "null", "$n", "$m", "$n"])
IDS = st.sampled_from(["[]", "[1, 2]", "1", "$ids", "$ids"])
VARIABLES = {"$n": "$n: Int = 2", "$m": "$m: Int", "$ids": "$ids: [ID!]!"}


@st.composite
def texts(draw: st.DrawFn, typos: bool = False) -> str:
    """A document; a fragment spreads only those after it. With typos, about half are invalid, each in its own way."""
    # Where no directive may stand, it is counted all the same.
    misplaced = st.just("") if typos else DIRECTIVES
    text = f"{draw(misplaced)} {draw(selections('Query', FRAGMENTS, typos, 4))}"
    for index, (name, type_name) in enumerate(FRAGMENTS):
        body = draw(selections(type_name, FRAGMENTS[index + 1 :], typos, 2))
        if f"...{name} " in text or (typos and draw(RARELY)):
            text += f" fragment {name} on {type_name} {draw(misplaced)} {body}"
    used = [variable for name, variable in VARIABLES.items() if name in text or (typos and draw(RARELY))]
    declared = [f"{variable} {draw(misplaced)}" for variable in used]
    return f"query Q{'(' + ' '.join(declared) + ')' if declared else ''} {text}"


RARELY = st.sampled_from([False] * 40 + [True])
DIRECTIVES = st.sampled_from(["", "", "", "@skip(if: false)", "@include(if: true) @skip(if: false)"])


@st.composite
def selections(draw: st.DrawFn, type_name: str, fragments: list[tuple[str, str]], typos: bool, depth: int) -> str:
    fields = st.sampled_from([*composite(type_name).fields, "__typename"])
    wrong = typos and draw(RARELY)
    near = [name for name, on in fragments if wrong or on == type_name or (type_name == "Thing" and on in ("A", "B"))]
    spreads = st.sampled_from([f"...{name}" for name in near]) if near else st.nothing()
    inner = [f"... on {type_name} ", "... "] + ["... on A ", "... on B "] * (type_name == "Thing")
    inline = st.sampled_from(inner) if depth else st.nothing()
    items = [
        draw(item(type_name, draw(fields | spreads | inline), fragments, typos, depth))
        for _ in range(draw(st.integers(1, 4)))
    ]
    return "{ " + " ".join(items) + " }"


@st.composite
def item(draw: st.DrawFn, type_name: str, name: str, fragments: list[tuple[str, str]], typos: bool, depth: int) -> str:
    if name.startswith("..."):
        inner = name.split()[-1] if name.startswith("... on") else type_name
        body = draw(selections(inner, fragments, typos, depth - 1)) if name.endswith(" ") else ""
        return f"{name} {draw(DIRECTIVES)} {body}"
    alias = f"a{draw(st.integers(0, 10**6))}: " if draw(st.booleans()) else ""
    if typos and draw(RARELY):
        alias = draw(st.sampled_from(["", "x: "]))
    if name == "__typename":
        return alias + name
    definition = composite(type_name).fields[name]
    named = get_named_type(definition.type)
    if not is_leaf_type(named) and not depth:
        return alias + "__typename"
    arguments = "".join(
        f"{argument}: {draw(IDS if argument == 'ids' else ROWS)} "
        for argument in definition.args
        if argument == "ids" or draw(st.booleans())
    )
    if arguments and not alias:
        alias = f"b{draw(st.integers(0, 10**6))}: "
    typo = "z" if typos and draw(RARELY) else ""
    body = "" if is_leaf_type(named) else draw(selections(named.name, fragments, typos, depth - 1))
    return f"{alias}{name}{typo}{f'({arguments})' if arguments else ''} {draw(DIRECTIVES)} {body}"


# the naive way

FragmentDefinitions = Mapping[str, FragmentDefinitionNode]
VariableValues = Mapping[str, object]
SelectionOccurrence = tuple[SelectionNode | FragmentDefinitionNode, int]


def parsed(text: str) -> tuple[DocumentNode, OperationDefinitionNode, FragmentDefinitions]:
    document = parse(text)
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return document, operation, {n.name.value: n for n in document.definitions if isinstance(n, FragmentDefinitionNode)}


def occurrences(
    node: SelectionSetNode, fragments: FragmentDefinitions, level: int = 1
) -> Iterator[SelectionOccurrence]:
    """Everything that is selected, as often as it is, with the number of fields on the way to it."""
    for selection in node.selections:
        yield selection, level
        if isinstance(selection, FragmentSpreadNode):
            fragment = fragments[selection.name.value]
            yield fragment, level
            yield from occurrences(fragment.selection_set, fragments, level)
        elif isinstance(selection, InlineFragmentNode):
            yield from occurrences(selection.selection_set, fragments, level)
        elif isinstance(selection, FieldNode) and selection.selection_set:
            yield from occurrences(selection.selection_set, fragments, level + 1)


def fields_of(
    node: SelectionSetNode, parent_type: SelectableType, fragments: FragmentDefinitions
) -> Iterator[tuple[FieldNode, SelectableType]]:
    """The fields selected on one object, each with the type on which it stands."""
    for selection in node.selections:
        if isinstance(selection, FragmentSpreadNode):
            fragment = fragments[selection.name.value]
            yield from fields_of(fragment.selection_set, composite(fragment.type_condition.name.value), fragments)
        elif isinstance(selection, InlineFragmentNode):
            inner = composite(selection.type_condition.name.value) if selection.type_condition else parent_type
            yield from fields_of(selection.selection_set, inner, fragments)
        elif isinstance(selection, FieldNode) and selection.name.value != "__typename":
            yield selection, parent_type


def rows_touched(
    node: SelectionSetNode,
    parent_type: SelectableType,
    fragments: FragmentDefinitions,
    values: VariableValues,
    page: int,
) -> int:
    """Rows touched below an object of this kind; `page` is how many rows it has when it is a connection."""
    fields = list(fields_of(node, parent_type, fragments))
    names = {field.name.value for field, _ in fields}
    total = page if "page" in names and not names & {"nodes", "edges"} else 0
    for field, owner in fields:
        total += OWN.get((owner.name, field.name.value), 0)
        definition = owner.fields[field.name.value].type
        named = get_named_type(definition)
        if field.selection_set is None or not isinstance(named, SelectableType):
            continue
        rows = rows_requested(field, owner, values)
        below = rows_touched(field.selection_set, named, fragments, values, rows)
        row = 0 if owner.name.endswith("Edge") or named.name.endswith("Connection") or named.name == "Page" else 1
        many = is_list_type(definition.of_type if is_non_null_type(definition) else definition)
        total += (1 if not many else page if owner.name.endswith("Connection") else rows) * (row + below)
    return total


def rows_requested(field: FieldNode, parent_type: SelectableType, values: VariableValues) -> int:
    arguments = {a.name.value: value_from_ast_untyped(a.value, dict(values)) for a in field.arguments or ()}
    if field.name.value == "many":
        ids = arguments["ids"]
        return LIMITS.rows if ids is None else len(ids) if isinstance(ids, list) else 1
    if field.name.value == "list":
        return LIMITS.rows
    pages = [max(0, arguments[name]) for name in ("first", "last") if isinstance(arguments.get(name), int)]
    default = (
        6 if (parent_type.name, field.name.value) == ("Query", "aa") else 20 if parent_type.name == "Query" else 10
    )
    return max(pages, default=default)


# the comparisons


@given(texts())
def test_document_size_counts_what_expansion_counts(text: str) -> None:
    document, operation, fragments = parsed(text)
    (size,), _ = LimitChecker(SCHEMA, LIMITS).measure(document)
    selected = list(occurrences(operation.selection_set, fragments))
    fields = [(node, level) for node, level in selected if isinstance(node, FieldNode)]
    directive_holders = [operation, *(operation.variable_definitions or ()), *(node for node, _ in selected)]
    assert size.fields == len(fields)
    assert size.depth == max(level for _, level in fields)
    assert size.root_fields == sum(level == 1 for _, level in fields)
    assert size.aliases == sum(node.alias is not None for node, _ in fields)
    assert size.directives == sum(len(node.directives or ()) for node in directive_holders)
    assert size.selections == sum(not isinstance(node, FragmentDefinitionNode) for node, _ in selected)


@given(texts(), st.integers(-1, 9), st.none() | st.integers(-1, 9), st.lists(st.text(max_size=1), max_size=3))
def test_the_cost_is_the_rows_that_expansion_touches(text: str, n: int, m: int | None, ids: list[str]) -> None:
    _, operation, fragments = parsed(text)
    values = {"n": n, "m": m, "ids": ids}
    cost = CostModel(SCHEMA, LIMITS).cost_of(operation, fragments)
    expected = rows_touched(operation.selection_set, composite("Query"), fragments, values, 0)
    assert cost.evaluate(values) == min(expected, COST_CAP)


@given(texts(typos=True))
def test_validation_agrees_with_the_stock_rules(text: str) -> None:
    document = parse(text)
    errors = DocumentValidator(SCHEMA, Limits(errors=1_000, overlaps=500_000)).check(
        document, has_variables="$" in text
    )
    stock_errors = validate(SCHEMA, document, max_errors=1_000)
    assert bool(errors) == bool(stock_errors)
    assert {error.locations[0] for error in errors if error.locations} <= {
        e.locations[0] for e in stock_errors if e.locations
    }


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12))
def test_introspection_is_counted_apart(times: int) -> None:
    copies = " ".join(f"a{n}: __schema {{ types {{ ...T }} }}" for n in range(times))
    document = parse(f"{{ n {copies} }} fragment T on __Type {{ name kind }}")
    (size,), _ = LimitChecker(SCHEMA, LIMITS).measure(document)
    assert (size.depth, size.fields, size.aliases, size.stored_fields) == (1, 1, times, 1)
    assert size.introspection == times * (1 + len(SCHEMA.type_map) * 3)


def test_counts_of_a_bomb_stop_growing() -> None:
    links = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(1_000))
    (size,), _ = LimitChecker(SCHEMA, LIMITS).measure(parse(f"{{ ...F0 }} {links} fragment F1000 on Query {{ n }}"))
    assert (size.fields, size.depth, size.nesting) == (COUNT_CAP, 1, 1_002)


def test_the_standard_introspection_is_within_its_own_bound() -> None:
    sizes, errors = LimitChecker(SCHEMA, LIMITS).check(parse(get_introspection_query()))
    assert errors == []
    assert (sizes[0].fields, sizes[0].depth) == (0, 1)
