"""Rules that the domain registers on a declaration: `@validates(Order)`, `@computes(Ticket.due_at, Ticket.priority)`.

A rule receives what is written and what is stored. The stored row is read, and locked, only where a rule needs it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypeVar
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.model import registry
from hub.model.declarations import AscDesc, Lookup, LookupScope
from hub.model.fields import split_optional
from hub.model.statements import ColumnValues
from hub.viewer import Viewer

Rule = TypeVar("Rule", bound=Callable[..., Any])
# New rows in normal form, and keys of rows that are yet to be stored → columns of each, in their order.
ResolveMany: TypeAlias = Callable[
    [Connection, Sequence[ColumnValues], Collection[UUID]], Awaitable[Sequence[ColumnValues]]
]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Write:
    """One row that is about to be written. `values` holds the columns that the caller gave, in normal form.

    `stored` is the row as it is, for updates, where a rule asked for it; else None."""

    operation: Literal["create", "update"]
    values: ColumnValues
    stored: ColumnValues | None
    viewer: Viewer
    now: datetime

    def value(self, column: str) -> Any:
        """A column as it will be: written, else stored."""
        return self.values[column] if column in self.values else (self.stored or {}).get(column)


@dataclass(frozen=True, slots=True)
class Computation:
    """How a column is computed from other columns of its row."""

    column: str
    inputs: tuple[str, ...]
    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class AlternateKey:
    """Another way to find the row of an upsert: `find` looks in other tables, `attach` ties what was sought to a new row.

    `compared` are the columns that it is found by: whoever may not filter by them may not find a row so."""

    input: type[Any]
    description: str
    find: Callable[[Connection, Viewer, Any], Awaitable[UUID | None]]
    attach: Callable[[Connection, Viewer, UUID, Any, datetime], Awaitable[None]]
    compared: tuple[sa.Column[Any], ...]


@dataclass(frozen=True, slots=True)
class ReferenceLookup:
    """Another way to say which row a foreign key column of a new row refers to; `find` returns None for no row."""

    column: str
    input: type[Any]
    description: str
    find: Callable[[Connection, Viewer, Any], Awaitable[UUID | None]]


@dataclass(slots=True)
class Rules:
    """The rules of one entity, in the order in which they were registered."""

    checks: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    validators: list[Callable[[Write], None]] = field(default_factory=list)
    stored_validators: list[Callable[[Write], None]] = field(default_factory=list)
    computations: dict[str, Computation] = field(default_factory=dict)
    authorizers: list[Callable[[Write], None]] = field(default_factory=list)
    resolve_missing: list[Callable[[Connection, Write], Awaitable[ColumnValues]]] = field(default_factory=list)
    permits: list[Callable[[Connection, UUID, Write], Awaitable[None]]] = field(default_factory=list)
    reads_other_rows: bool = False  # whether one of resolve_missing does
    resolve_many: list[ResolveMany] = field(default_factory=list)
    before_insert: list[Callable[[Connection, Sequence[ColumnValues]], Awaitable[None]]] = field(default_factory=list)
    after_write: list[Callable[[Connection, Sequence[UUID], datetime], Awaitable[None]]] = field(default_factory=list)
    after_change: list[Callable[[Connection, type[Any], UUID, datetime], Awaitable[None]]] = field(default_factory=list)
    alternate_keys: dict[str, AlternateKey] = field(default_factory=dict)
    references: dict[str, ReferenceLookup] = field(default_factory=dict)
    lookups: dict[str, Lookup] = field(default_factory=dict)
    guards: dict[tuple[str, str], Callable[[Write], None]] = field(default_factory=dict)

    async def changed(self, tx: Connection, entity: type[Any], key: UUID, now: datetime) -> None:
        """Runs what follows from a change of a row."""
        for rule in self.after_change:
            await rule(tx, entity, key, now)

    async def require_permits(self, tx: Connection, key: UUID, write: Write) -> None:
        """Raises Forbidden for an update that a rule does not permit."""
        for permit in self.permits:
            await permit(tx, key, write)


def _rules_of(column: sa.Column[Any]) -> Rules:
    rules: Rules = registry.registered(column.table).rules
    return rules


def validates(entity: type[Any], *, stored: bool = False) -> Callable[[Rule], Rule]:
    """Registers a rule that raises BadInput for a write that cannot be; it sees the canonical values.

    With `stored`, an update reads and locks its row first."""

    def register(rule: Rule) -> Rule:
        (entity.rules.stored_validators if stored else entity.rules.validators).append(rule)
        return rule

    return register


def permits_update(entity: type[Any]) -> Callable[[Rule], Rule]:
    """Registers a rule that raises Forbidden for an update, which it is given in normal form with the row's key.

    It may read other rows."""

    def register(rule: Rule) -> Rule:
        entity.rules.permits.append(rule)
        return rule

    return register


def checks(column: sa.Column[Any]) -> Callable[[Rule], Rule]:
    """Registers the check of one column's values: it returns the normal form or raises ValueError with the remedy."""

    def register(rule: Rule) -> Rule:
        _rules_of(column).checks[column.name] = rule
        return rule

    return register


def computes(result: "sa.Column[R]", *inputs: sa.Column[Any]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Registers the rule of a computed column: it receives the inputs in this order, as their Python types.

    It runs for every new row and for each update that changes an input."""

    def register(rule: Callable[..., R]) -> Callable[..., R]:
        names = tuple(column.name for column in inputs)
        _rules_of(result).computations[result.name] = Computation(result.name, names, rule)
        return rule

    return register


def normalizes(result: "sa.Column[R]", *inputs: sa.Column[Any]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Registers the rule of a column's normal form, which depends on other columns of the row.

    The inputs of a `normal_form` stand in its declaration."""
    entity = registry.registered(result.table)
    names = entity.definition.columns[result.name].options.normal_form_of
    return computes(result, *(inputs or (entity.table.c[name] for name in names)))


def authorizes(entity: type[Any]) -> Callable[[Rule], Rule]:
    """Registers a rule that raises Forbidden for values that a viewer may not write."""

    def register(rule: Rule) -> Rule:
        entity.rules.authorizers.append(rule)
        return rule

    return register


def resolves_missing(entity: type[Any], *, reads: bool = True) -> Callable[[Rule], Rule]:
    """Registers a rule that returns columns of a new row which follow from other rows.

    One that follows from nested rows alone says `reads=False`: without them, it leaves a new row a single INSERT."""

    def register(rule: Rule) -> Rule:
        entity.rules.resolve_missing.append(rule)
        entity.rules.reads_other_rows |= reads
        return rule

    return register


def resolves_many(entity: type[Any]) -> Callable[[Rule], Rule]:
    """Registers the form of a `resolves_missing` rule for many new rows: `async def rule(tx, new_rows, unstored)`.

    `unstored` has the keys of rows that are written before them. The rule for one row resolves what it leaves out."""

    def register(rule: Rule) -> Rule:
        entity.rules.resolve_many.append(rule)
        return rule

    return register


def before_insert(entity: type[Any]) -> Callable[[Rule], Rule]:
    """Registers a rule that sees complete new rows before they are stored, to take locks for example.

    Rows that are nested in one row are seen together."""

    def register(rule: Rule) -> Rule:
        entity.rules.before_insert.append(rule)
        return rule

    return register


def after_write(entity: type[Any]) -> Callable[[Rule], Rule]:
    """Registers a rule that runs after writes of parts, with the keys of the rows that they are part of."""

    def register(rule: Rule) -> Rule:
        entity.rules.after_write.append(rule)
        return rule

    return register


def after_change(entity: type[Any]) -> Callable[[Rule], Rule]:
    """Registers a rule that runs after a row was created, updated or moved: `async def rule(tx, entity, key, now)`."""

    def register(rule: Rule) -> Rule:
        entity.rules.after_change.append(rule)
        return rule

    return register


def guards(entity: type[Any], column: str, state: str) -> Callable[[Rule], Rule]:
    """Registers the guard of a guarded move to a state: it raises BadInput when the stored row may not make it."""

    def register(rule: Rule) -> Rule:
        entity.rules.guards[column, state] = rule
        return rule

    return register


def lookup(
    key: sa.Column[Any],
    name: str,
    arguments: Mapping[str, tuple[sa.Column[Any], bool]],
    prefer: Sequence[tuple[str, AscDesc]],
    scope: LookupScope | None = None,
) -> Callable[[Rule], Rule]:
    """Registers a root that finds the row that `key` refers to: `customerBy(identifier: …)`.

    Each argument names a column beside `key`, and whether it is required. A column of another table describes an argument
    that only the rule reads. The rule normalises the arguments; its docstring is the description. Among several rows, the
    first by `prefer` counts, unless `scope` asks for an argument then."""
    (reference,) = (constraint.column for constraint in key.foreign_keys)
    target = registry.registered(reference.table)

    def register(rule: Rule) -> Rule:
        text = " ".join((rule.__doc__ or "").split())
        target.rules.lookups[name] = Lookup(name, key.table, key.name, arguments, rule, prefer, scope, text)
        return rule

    return register


def alternate_key(
    entity: type[Any],
    name: str,
    input: type[Any],
    description: str,
    attach: Callable[[Connection, Viewer, UUID, Any, datetime], Awaitable[None]],
    compared: tuple[sa.Column[Any], ...],
) -> Callable[[Rule], Rule]:
    """Registers a rule that finds the row of an upsert by columns of another table, under a lock."""

    def register(rule: Rule) -> Rule:
        entity.rules.alternate_keys[name] = AlternateKey(input, description, rule, attach, compared)
        return rule

    return register


def reference(column: sa.Column[Any], name: str, input: type[Any], description: str) -> Callable[[Rule], Rule]:
    """Registers another way for a new row to say which row `column` refers to: an order names its customer by identifier."""

    def register(rule: Rule) -> Rule:
        _rules_of(column).references[name] = ReferenceLookup(column.name, input, description, rule)
        return rule

    return register


def python_value(column: sa.Column[Any], value: Any) -> Any:
    """A value of a column as its declared Python type: text of an enum column as its member."""
    annotation = registry.registered(column.table).definition.annotations.get(column.name)
    python_type = split_optional(annotation)[0]
    if value is None or not isinstance(column.type, sa.Enum):
        return value
    return python_type(value)
