"""Every place of the API that takes the id of a customer, as the schema has it: arguments, filters, inputs of mutations.

A place is found by its type, so a new entity, filter, root or command is among them without a word here."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
)
from mutation_inputs import SCALARS

from hub.engine.graphql_types.command_signatures import InputType
from hub.engine.graphql_types.schema_builder import Schema
from hub.errors import BadInput

FILTER, OPERATORS = "CustomerFilter", ("eq", "in")
ABSENT = "cus_" + "0" * 32
DEEPEST = 3  # fields to a filter of customers; more cost more than a query may
WRONG = "zzz_" + "0" * 32
Path = tuple[str, ...]


class FilterSlot(NamedTuple):
    """An argument of a root whose value names a customer, and the path in it to the condition on the customer's id."""

    root: str
    argument: str
    path: Path
    type: GraphQLInputType
    document: str
    others: Mapping[str, Any]

    def variables(self, operator: str, public_id: str) -> dict[str, Any]:
        """The variables of the document for one customer."""
        condition = {operator: [public_id] if operator == "in" else public_id}
        return {**self.others, "value": _nested(self.type, self.path, condition)}


class InputSlot(NamedTuple):
    """A field of a mutation's input that takes the id of a customer, alone or among others."""

    root: str
    path: Path


def roots(schema: Schema, operation: str) -> Mapping[str, GraphQLField]:
    """The roots of queries or of subscriptions."""
    type_ = schema.core.query_type if operation == "query" else schema.core.subscription_type
    assert type_ is not None
    fields: Mapping[str, GraphQLField] = type_.fields
    return fields


def _nested(type_: GraphQLInputType, path: Path, condition: Any) -> Any:
    """A value of the type in which the path leads to the condition; fields that it needs beside have some value."""
    if is_non_null_type(type_):
        type_ = type_.of_type
    if is_list_type(type_):
        return [_nested(type_.of_type, path, condition)]
    if not path:
        return condition
    assert isinstance(type_, GraphQLInputObjectType)
    name, *rest = path
    needed = {n: any_value(f.type) for n, f in type_.fields.items() if is_required_input_field(f) and n != name}
    if name == "where":  # rows that are counted
        needed |= {"count": {"gte": 0}} if "count" in type_.fields else {"by": "COUNT"}
    return {**needed, name: _nested(type_.fields[name].type, tuple(rest), condition)}


def any_value(type_: GraphQLInputType) -> Any:
    """Some value of an input type, with what it needs."""
    if is_non_null_type(type_):
        type_ = type_.of_type
    if is_list_type(type_):
        return [any_value(type_.of_type)]
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        needed = {n: any_value(f.type) for n, f in type_.fields.items() if is_required_input_field(f)}
        if type_.name.endswith("GroupBy"):  # of a field or of a link
            name = "field" if "field" in type_.fields else "link"
            needed[name] = any_value(type_.fields[name].type)
        return needed
    return SCALARS.get(get_named_type(type_).name, WRONG)


def filter_slots(operation: str, fields: Mapping[str, GraphQLField]) -> Iterator[FilterSlot]:
    """For each argument of a root, the shortest path to a customer's id; and one path for each other field that leads there."""
    reached: set[tuple[str, str]] = set()
    for name, root in fields.items():
        for argument, declared in root.args.items():
            type_ = get_named_type(declared.type)
            if not isinstance(type_, GraphQLInputObjectType):
                continue
            shortest = True
            for owner, path in _paths(type_):
                if shortest or (owner, path[-1]) not in reached:
                    text = document(operation, name, root, argument)
                    yield FilterSlot(name, argument, (*path, "id"), declared.type, text, others(root, argument))
                reached.add((owner, path[-1] if path else ""))
                shortest = False


def _paths(type_: GraphQLInputObjectType) -> Iterator[tuple[str, Path]]:
    """The paths to filters of customers, the shortest first, each type of input once; with the type that has the last field."""
    queue: deque[tuple[str, GraphQLInputObjectType, Path]] = deque([("", type_, ())])
    seen: set[str] = set()
    while queue:
        owner, current, path = queue.popleft()
        if current.name == FILTER:
            yield owner, path
            if path:
                continue
        if current.name in seen or len(path) == DEEPEST:
            continue
        seen.add(current.name)
        for name, member in current.fields.items():
            inner = get_named_type(member.type)
            if isinstance(inner, GraphQLInputObjectType) and not (inner is current and name not in ("and",)):
                queue.append((current.name, inner, (*path, name)))


def document(operation: str, name: str, root: GraphQLField, argument: str) -> str:
    """A query or subscription of the root, with the argument as `$value`, and each other that it needs under its name."""
    names = {n: n for n, a in root.args.items() if is_required_argument(a) and n != argument} | {argument: "value"}
    declared = ", ".join(f"${variable}: {root.args[n].type}" for n, variable in names.items())
    arguments = ", ".join(f"{n}: ${variable}" for n, variable in names.items())
    return f"{operation} ({declared}) {{ {name}({arguments}) {selection(root.type)} }}"


def others(root: GraphQLField, argument: str) -> dict[str, Any]:
    """Some values of the arguments that a root needs beside one."""
    return {n: any_value(a.type) for n, a in root.args.items() if is_required_argument(a) and n != argument}


def selection(type_: GraphQLOutputType) -> str:
    """A selection of something that takes a look at rows."""
    named = get_named_type(type_)
    if isinstance(named, GraphQLUnionType):
        return "{ __typename }"
    if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    if "id" in named.fields:
        return "{ id }"
    if "nodes" in named.fields:  # of which an order takes a look
        return f"{{ totalCount nodes {selection(named.fields['nodes'].type)} }}"
    plain = [(n, f) for n, f in named.fields.items() if not any(is_required_argument(a) for a in f.args.values())]
    inner = [(n, f) for n, f in plain if not is_leaf_type(get_named_type(f.type)) and n not in ("pageInfo", "cursor")]
    name, field = (inner or plain)[0]
    return f"{{ {name} {selection(field.type)} }}"


def id_arguments(fields: Mapping[str, GraphQLField]) -> Iterator[tuple[str, GraphQLField, str]]:
    """The roots that take ids, and their arguments."""
    for name, root in fields.items():
        for argument, declared in root.args.items():
            if get_named_type(declared.type).name == "ID":
                yield name, root, argument


def input_slots(schema: Schema) -> Iterator[InputSlot]:
    """The fields of mutations' inputs that take ids of customers, without those of lists of rows, which are the same."""
    for name, mutation in schema.mutations.items():
        if not mutation.is_bulk:
            yield from (InputSlot(name, path) for path in _customer_fields(mutation.input, ()))


def _customer_fields(type_: InputType, path: Path) -> Iterator[Path]:
    for member in type_.fields:
        if member.inner is not None:
            yield from _customer_fields(member.inner, (*path, member.name))
        elif "ID" in member.annotation.replace("[", " ").replace("]", " ").split() and _takes_customers(member.read):
            yield (*path, member.name)


def _takes_customers(read: Any) -> bool:
    """Whether a reader of ids takes that of a customer."""
    for value in (ABSENT, [ABSENT]):
        try:
            read(value, "id")
        except (BadInput, AttributeError, TypeError):
            continue
        return True
    return False


def minimal_input(schema: Schema, slot: InputSlot, public_id: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """An input with what the mutation needs, from `known` where that says it, and the id in its slot."""
    mutation_type = schema.core.mutation_type
    assert mutation_type is not None
    type_ = get_named_type(mutation_type.fields[slot.root].args["input"].type)
    value: dict[str, Any] = {**_nested(GraphQLNonNull(type_), slot.path, public_id), **known}
    target = value
    for name in slot.path[:-1]:
        target = target[name][0] if isinstance(target[name], list) else target[name]
    target[slot.path[-1]] = [public_id] if isinstance(target.get(slot.path[-1]), list) else public_id
    return value
