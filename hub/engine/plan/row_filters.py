"""Plans row filters of roles, once for the rights that have them. sql/row_filters.py compiles them.

A filter reads every row and column, also those that its role hides. Its values are parameters `right$…`, filled from the
role or the viewer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from graphql import GraphQLInputObjectType, Undefined

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.catalog.input_values import bad_input
from hub.engine.document.coercion import InputCoercers
from hub.engine.document.limits import Limits
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.arguments import ArgumentReader
from hub.engine.plan.codecs import IdCodec, ListCodec, RelativeTimeCodec
from hub.engine.plan.context import PlanningContext
from hub.engine.plan.dependencies import predicate_tables
from hub.engine.plan.filters import ALWAYS_TRUE, plan_filter
from hub.engine.plan.parameters import ExecutionContext, Parameter, Runtime
from hub.engine.plan.predicates import Or, Predicate
from hub.model import exact_json, scopes
from hub.model.former_keys import FormerKeys
from hub.rights import CUSTOMER, STAFF, UNITS, UNLIMITED_RIGHTS, AccessRule, Rights, Verb
from hub.viewer import ADMIN, Viewer

NO_ROWS = Or(())
_VIEWER_VALUES: dict[str, Callable[[Viewer], Any]] = {
    STAFF: lambda viewer: viewer.staff_id,
    CUSTOMER: lambda viewer: viewer.customer_id,
}


@dataclass(frozen=True, slots=True)
class RightArgument(Runtime):
    """The value of a parameter: an argument as it is, or one in which STAFF, UNITS and CUSTOMER stand for the viewer's.

    A former key of a row stands for the key that it leads to now."""

    value: Any = None

    def read(self, context: ExecutionContext) -> Any:
        """The value for the viewer of an execution."""
        return self.read_viewer(context.viewer)

    def read_viewer(self, viewer: Viewer) -> Any:
        """The value for a viewer."""
        if isinstance(self.value, list):
            return list(_items(self.value, viewer))
        if isinstance(self.value, UUID):
            return FormerKeys.current(self.value)
        return _VIEWER_VALUES[self.value](viewer) if self.value in (STAFF, CUSTOMER) else self.value


@dataclass(frozen=True, slots=True)
class AgeArgument(Runtime):
    """The value of a parameter that depends on the time: the moment that lies so long before it."""

    age: timedelta = timedelta()

    def read_at(self, now: datetime) -> datetime:
        """The value at a time; the earliest one where it would lie before all times."""
        earliest = datetime.min.replace(tzinfo=UTC)
        return now - self.age if now - earliest > self.age else earliest


def _items(values: Iterable[Any], viewer: Viewer) -> Iterator[Any]:
    for value in values:
        if value == UNITS:
            yield from viewer.unit_ids
        elif isinstance(value, UUID):
            yield FormerKeys.current(value)
        else:
            yield _VIEWER_VALUES[value](viewer) if value in (STAFF, CUSTOMER) else value


def plan_row_filter(
    schema: Schema, entity: CatalogEntity, text: str, prefix: str = scopes.RIGHT_PREFIX, *, timed: bool = False
) -> tuple[Predicate, tuple[Parameter, ...], frozenset[str]]:
    """The predicate of a filter as JSON, its parameters, and which of STAFF, UNITS and CUSTOMER it names.

    Raises BadInput, in which `filter` is the argument. `prefix` begins the parameters' names. Only if it is `timed`, the
    filter may compare with the time."""
    filter_type = schema.core.type_map[f"{entity.name}Filter"]
    assert isinstance(filter_type, GraphQLInputObjectType)
    try:
        value = InputCoercers().for_type(filter_type)(exact_json.loads(text))
    except ValueError:
        value = Undefined
    if value is Undefined or value is None:
        bad_input("FILTER_INVALID", "filter", f"it is no {entity.name}Filter; check its names and values.")
    variables = {"filter": value}
    reader = ArgumentReader(schema.plan_relevant_enums, variables)
    planning = PlanningContext(schema.catalog, reader, Limits(), UNLIMITED_RIGHTS, prefix=prefix, by_keys=True)
    predicate = plan_filter(planning, reader.variable("filter", filter_type), entity, "filter")
    if planning.time_dependent and not timed:
        problem = "a role's rows cannot depend on the time; compare with fixed times."
        bad_input("FILTER_INVALID", "filter", problem)
    names: set[str] = set()
    parameters = {part.name: _right_parameter(part, variables, names) for part in planning.parameters}
    return _with_parameters(predicate, parameters), tuple(parameters.values()), frozenset(names)


def _right_parameter(parameter: Parameter, variables: dict[str, Any], names: set[str]) -> Parameter:
    """The parameter with its value encoded, but for what stands for the viewer; adds that to `names`."""
    if isinstance(parameter.source, Runtime):
        return Parameter(parameter.name, parameter.type, AgeArgument(parameter.source.attribute))
    if isinstance(parameter.codec, RelativeTimeCodec):
        age = AgeArgument("now", age=parameter.source.read(variables))
        return Parameter(parameter.name, parameter.type, age)
    value, codec = parameter.source.read(variables), parameter.codec
    context = ExecutionContext(variables, datetime.min.replace(tzinfo=UTC), ADMIN, b"")
    if isinstance(codec, ListCodec) and isinstance(codec.item, IdCodec):
        names.update(item for item in value if item in (STAFF, UNITS, CUSTOMER))
        value = [item if item in (STAFF, UNITS, CUSTOMER) else _row_id(codec.item, item) for item in value]
    elif isinstance(codec, IdCodec) and value in (STAFF, CUSTOMER):
        names.add(value)
    elif isinstance(codec, IdCodec) and isinstance(value, str):
        value = _row_id(codec, value)
    else:
        value = codec.encode(value, context)
    return Parameter(parameter.name, parameter.type, RightArgument("", value=value))


def _row_id(codec: IdCodec, value: str) -> UUID:
    """The key of an id that is no name of the viewer's; raises BadInput, also for a misspelt name."""
    if value == UNITS:
        problem = f'{UNITS} is a list of ids; compare with `in: ["{UNITS}"]`.'
        bad_input("FILTER_INVALID", codec.argument, problem)
    if value == "ME":
        bad_input("FILTER_INVALID", codec.argument, f"ME stands in queries only; write {STAFF} here.")
    if value.startswith("$"):
        problem = f"{value[:63]!r} is unknown; the viewer's own are {STAFF}, {UNITS} and {CUSTOMER}."
        bad_input("FILTER_INVALID", codec.argument, problem)
    return codec.convert(value)


def _with_parameters(part: Any, parameters: dict[str, Parameter]) -> Any:
    """The predicate with these parameters in place of those of the same names."""
    if isinstance(part, Parameter):
        return parameters[part.name]
    if isinstance(part, tuple):
        return tuple(_with_parameters(item, parameters) for item in part)
    if not is_dataclass(part) or isinstance(part, type | CatalogEntity):
        return part
    changes = {}
    for item in fields(part):
        value = getattr(part, item.name)
        changed = _with_parameters(value, parameters)
        if changed is not value:
            changes[item.name] = changed
    return replace(part, **changes) if changes else part


@dataclass(slots=True)
class RightsFilters:
    """The row filters of one viewer's rights, planned: predicates by entity and verb, and the parameters that they name."""

    schema: Schema
    rights: Rights
    parameters: dict[str, Parameter] = field(default_factory=dict)
    _rules: dict[AccessRule, Predicate] = field(default_factory=dict)
    _rows: dict[tuple[str, Verb], Predicate] = field(default_factory=dict)

    def rows(self, entity: str, verb: Verb = Verb.READ) -> Predicate:
        """The predicate of the rows of an entity that the rights grant for a verb."""
        predicate = self._rows.get((entity, verb))
        if predicate is None:
            rules = self.rights.granting(entity, verb)
            predicate = self._rows[entity, verb] = ALWAYS_TRUE if rules is None else self.any_of(rules)
        return predicate

    def any_of(self, rules: Sequence[AccessRule]) -> Predicate:
        """The predicate of the rows that at least one of the rules grants."""
        parts = tuple(dict.fromkeys(self._rule(rule) for rule in rules))
        if ALWAYS_TRUE in parts:
            return ALWAYS_TRUE
        return parts[0] if len(parts) == 1 else Or(parts)

    def tables(self, entity: str) -> frozenset[str]:
        """The tables that the filters of an entity's rules read beside its own."""
        rules = self.rights.granting(entity) or ()
        return frozenset[str]().union(*(predicate_tables(self._rule(rule)) for rule in rules))

    def _rule(self, rule: AccessRule) -> Predicate:
        if rule.row_filter is None:
            return ALWAYS_TRUE
        predicate = self._rules.get(rule)
        if predicate is None:
            entity = self.schema.catalog.entities[rule.entity]
            prefix = f"{scopes.RIGHT_PREFIX}{len(self._rules)}_"
            predicate, parameters, names = plan_row_filter(self.schema, entity, rule.row_filter, prefix)
            if self._has(names):
                self.parameters |= {parameter.name: parameter for parameter in parameters}
            else:
                predicate = NO_ROWS
            self._rules[rule] = predicate
        return predicate

    def _has(self, names: frozenset[str]) -> bool:
        """Whether the viewer has all that a filter names."""
        binding = self.rights.binding
        available = {
            STAFF: self.rights.has_staff,
            UNITS: binding in ("single_unit", "unit_subtree"),
            CUSTOMER: binding == "customer",
        }
        return all(available[name] for name in names)


def rights_filters(schema: Schema, rights: Rights) -> RightsFilters:
    """The planned filters of these rights."""
    filters = rights.derived.get((RightsFilters, schema.catalog))
    if filters is None:
        filters = rights.derived[RightsFilters, schema.catalog] = RightsFilters(schema, rights)
    assert isinstance(filters, RightsFilters)
    return filters
