"""Reads a declaration: the words behind the class name, and the members of the class body."""

import inspect
import re
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Required, TypeAlias, TypedDict

import sqlalchemy as sa

from hub.model.clock_rules import ClockRule
from hub.model.declarations import LinkGroup
from hub.model.fields import UNSET, Column, FieldOptions, UniqueRange, split_optional
from hub.model.lasting import Exclusion
from hub.model.links import Index, Inverse, Link, MergedList, PythonField, SubjectLink, UnionOfLinks
from hub.model.merge_rules import MergeRule
from hub.model.ownership import Ownership, customer_owned, inside
from hub.model.personal import PersonalData
from hub.model.scopes import Scope, pair, part_of_shared, shared
from hub.model.workflows import AnyState, Workflow
from hub.text_case import camel_case

WriteOperation: TypeAlias = Literal["create", "update", "delete"]
BoundTo: TypeAlias = Literal["unit", "customer"]
UNVERIFIED = "unverified"  # the column that an entity with columns under dual control has
ALL_OPERATIONS: tuple[WriteOperation, ...] = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Unique:
    """Columns that together identify one row, and the rows among which they do."""

    columns: tuple[str, ...]
    among: UniqueRange


def unique(*columns: str, among: UniqueRange) -> Unique:
    """Declares a composite uniqueness rule. Within a customer, one of the columns says which customer it is.

    Among what a viewer sees, the database keeps the columns unique within the customer, and a new row is refused if the
    viewer sees one with these values. A `before_insert` rule must lock the values, so that two do not pass at once."""
    return Unique(columns, among)


@dataclass(frozen=True, slots=True)
class Superseding:
    """Rows of which the latest per customer and `columns` is current; see history_rows.py."""

    columns: tuple[str, ...]
    moment: str


def current_by(*columns: str, moment: str) -> Superseding:
    """Rows of a customer supersede each other: per `columns`, the one with the latest `moment` is current.

    A row that is older than the current one is inserted between its neighbours."""
    return Superseding(columns, moment)


class EntityOptions(TypedDict, total=False):
    """The words of a declaration."""

    prefix: Required[str]  # begins the ids: `ord_…`
    order: Required[str]  # the default order of lists: a column; `-placed_at` for the latest first
    owned_by: Ownership  # whose rows they are; parts of a customer's row are the customer's
    part_of: type[Any]  # the entity that its rows are part of: they are deleted with it, and of the same customer
    parent: tuple[str, str]  # name and description of the link to that row
    inverse: Inverse  # name and description of that row's list of its parts
    nested: bool  # whether new rows may be written along with the row that they belong to
    table: str  # the table's name, when it is not the plural of the class name
    plural: str  # the name of the GraphQL root, when it is irregular
    singular: str  # the name of the root that reads one row, when it is not the type's
    sortable: Sequence[str]  # system columns that lists may be sorted by
    search: Sequence[str]  # columns that `search` looks in
    identifies: Sequence[str]  # columns, none of them null, by which a search of customers finds the row's customer
    timeline: str  # the column that places a row in its customer's timeline
    permission: str | Mapping[WriteOperation, str]  # the permission that a write needs; the table's name when left out
    writable_by: Sequence[BoundTo] | Mapping[WriteOperation, Sequence[BoundTo]]  # the bound keys that may write
    operations: Sequence[WriteOperation]  # the generic mutations; all when left out
    unique: Sequence[Unique]
    # By column, the values that mark a row as internal: it is about the customer, whose own keys do not see it.
    internal_when: Mapping[str, Sequence[str]]
    second_customer: str  # the link to another customer, for rows about two: who sees only one of them sees no row
    exactly_one: Sequence[str]  # optional links of which every row has exactly one
    checks: Mapping[str, str]  # SQL by name; a client reads the name
    indexes: Sequence[Index]  # beside those that follow from order, sortable fields, owners and inverses
    superseding: Superseding
    lasting: Sequence[Exclusion]  # rows hold from `from_at` until `to_at`; no two that a never_two names at one moment
    me: str  # the viewer's attribute that filters by id may name as "ME"
    # The workflow column of another entity, whose moves the rows are; ANY for all workflows that have no such entity.
    clocks: Sequence[ClockRule]  # clocks that the row's state starts, pauses and stops
    moves_of: "sa.Column[Any] | AnyState"
    subject_of: Sequence[str]  # names of the entities whose rows may be about a row of this one: see any_of
    amounts_in: str  # the column of the currency of the entity's amounts; `currency` when left out
    overflow_columns: Sequence[str]  # columns that generated amounts are computed from
    frozen_when: Mapping[str, Sequence[str]]  # by column, the values of rows that take no generic update or delete
    merge: MergeRule  # what becomes of rows of a customer who is merged into another; see merge_rules.py
    captured: bool  # whether the change log records its changes; it does when left out. Without: no past, no streams
    derived: bool  # whether the hub derives its rows from others: they hold on to none, and go with what they are about
    long_running_delete: bool  # whether so much belongs to a row that deleting it may outlast the statement timeout


@dataclass(frozen=True)
class EntityDefinition:
    """A declaration as the model reads it."""

    entity: type[Any]
    options: EntityOptions
    columns: Mapping[str, Column[Any]]
    annotations: Mapping[str, Any]  # of the columns, with `| None`
    links: Mapping[str, Link]
    unions: Mapping[str, UnionOfLinks]
    subjects: Mapping[str, SubjectLink]  # one at most: its columns are `entity` and `row_id`
    merged_lists: Mapping[str, MergedList]
    link_groups: Mapping[str, LinkGroup]
    python_fields: Mapping[str, PythonField]
    members: tuple[str, ...]  # columns and links in the order of the class body
    ownership: Ownership
    parent: Link | None

    @property
    def name(self) -> str:
        return self.entity.__name__

    @cached_property
    def scope(self) -> Scope:
        """How the rows are cut: by whose they are, and by what marks them as internal."""
        scope, parent = self.ownership.scope, self.parent
        if "second_customer" in self.options:
            return pair(scope, f"{self.options['second_customer']}_id")
        if "internal_when" in self.options:
            return shared(scope, self.options["internal_when"])
        if "owned_by" in self.options or parent is None or parent.target.definition.scope.name != "shared":
            return scope
        return part_of_shared(parent.target.definition.scope, parent.target.table, parent.column_name)

    @cached_property
    def table_name(self) -> str:
        return self.options.get("table", plural_of(snake_case(self.name)))

    @cached_property
    def plural(self) -> str:
        """The name of the list among the roots of the query type."""
        return self.options.get("plural", camel_case(plural_of(snake_case(self.name))))

    @cached_property
    def singular(self) -> str:
        """The name of the root that reads one row."""
        return self.options.get("singular", self.name[0].lower() + self.name[1:])

    @property
    def order(self) -> tuple[str, Literal["asc", "desc"]]:
        column = self.options["order"]
        return (column[1:], "desc") if column.startswith("-") else (column, "asc")

    @cached_property
    def has_customer(self) -> bool:
        """Whether each row carries the key of its customer."""
        return self.scope.customer_column == "customer_id"

    @cached_property
    def customer_optional(self) -> bool:
        """Whether a row may belong to no customer."""
        return self.scope.customer_optional

    @property
    def captured(self) -> bool:
        """Whether the change log records changes of the rows: without it they have no past, no stream and no live query."""
        return self.options.get("captured", True)

    @property
    def is_part(self) -> bool:
        """Whether a row takes its customer from the row that it is part of."""
        return self.parent is not None and self.has_customer and not self.customer_optional

    @cached_property
    def sortable(self) -> dict[str, str | None]:
        """The columns that lists may be sorted by, and the value that stands for null."""
        fields = {name: c.options.null_as for name, c in self.columns.items() if c.options.sortable}
        system = dict.fromkeys(self.options.get("sortable", ()))
        return {self.order[0]: None} | fields | system if self.order[0] not in fields else fields | system

    @cached_property
    def all_links(self) -> dict[str, Link]:
        """The links by name, with the one to the row that it is part of."""
        return {**({} if self.parent is None else {self.parent.name: self.parent}), **self.links}

    @cached_property
    def workflow_columns(self) -> dict[str, type[Workflow]]:
        types = {name: split_optional(annotation)[0] for name, annotation in self.annotations.items()}
        return {name: t for name, t in types.items() if isinstance(t, type) and issubclass(t, Workflow)}

    def operations(self) -> Sequence[WriteOperation]:
        return self.options.get("operations", ALL_OPERATIONS)

    def permission(self, operation: WriteOperation) -> str:
        """The permission that an operation needs: what stands before `:write`."""
        permission = self.options.get("permission", self.table_name)
        return permission if isinstance(permission, str) else permission[operation]

    def writable_by(self, operation: WriteOperation) -> frozenset[str]:
        """The bindings of keys that may write in this way."""
        bindings = self.options.get("writable_by", ())
        return frozenset(bindings[operation] if isinstance(bindings, Mapping) else bindings)

    @cached_property
    def write_permissions(self) -> dict[WriteOperation, tuple[str, frozenset[str]]]:
        """By operation, the permission that it needs and the bindings of keys that may have it."""
        permission = self.options.get("permission", self.table_name)
        named = ALL_OPERATIONS if isinstance(permission, str) else tuple(permission)
        return {name: (f"{self.permission(name)}:write", self.writable_by(name)) for name in named}

    def creatable(self) -> list[str]:
        """The columns that a caller may give a new row."""
        if "create" not in self.operations():
            return []
        owner = ["customer_id"] if self.has_customer and not (self.is_part or self.customer_optional) else []
        parent = [self.parent.column_name] if self.parent else []
        return [*owner, *parent, *self._writable("always", "create")]

    def updatable(self) -> list[str]:
        """The columns that a caller may change."""
        return [*self._writable("always")] if "update" in self.operations() else []

    def _writable(self, *when: str) -> Iterator[str]:
        for name in self.members:
            if name in self.subjects:
                continue  # a command says what the row is about
            if name in self.links:
                link = self.links[name]
                if link.writable in when and link.tree is None:
                    yield link.column_name
                continue
            options = self.columns[name].options
            writable = "create" if name in self.workflow_columns and options.writable == "always" else options.writable
            if writable in when and not (options.rule_filled or options.is_hidden):
                yield name

    def defaults(self) -> dict[str, Any]:
        """The values of a new row where the caller leaves columns out."""
        return {n: c.options.default for n, c in self.columns.items() if c.options.default is not UNSET}

    def server_filled(self) -> list[str]:
        """Columns that rules or the viewer fill in where a new row has none."""
        fields = [name for name, column in self.columns.items() if column.options.server_filled]
        return [*fields, *(link.column_name for link in self.links.values() if link.server_filled)]

    @cached_property
    def verified_columns(self) -> dict[str, str]:
        """The columns under dual control, each with the permission to confirm its values."""
        permissions = {name: column.options.verified_by for name, column in self.columns.items()}
        return {name: permission for name, permission in permissions.items() if permission is not None}

    @cached_property
    def merged_columns(self) -> frozenset[str]:
        """The JSON columns that an update merges by top-level key."""
        return frozenset(name for name, column in self.columns.items() if column.options.merged_by_key)

    @cached_property
    def copied_columns(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The key of the row that this one is part of, and the columns that it takes over from that row."""
        if self.parent is None:
            return ()
        fields = [name for name, column in self.columns.items() if column.options.copied_from is not None]
        columns = (*(["customer_id"] if self.is_part else []), *fields)
        return ((self.parent.column_name, columns),) if columns else ()

    def nested_in(self, owner: type[Any]) -> tuple[str, str] | None:
        """The name of the owner's list and the key column, if new rows may be written along with a row of `owner`."""
        if not self.options.get("nested", False):
            return None
        if self.parent is not None:
            inverse, target, column = self.parent.inverse, self.parent.target, self.parent.column_name
            return (inverse[0], column) if inverse is not None and target is owner else None
        inverse = self.ownership.inverse
        is_customer = owner.definition.scope.customer_column == "id"
        return (inverse[0], "customer_id") if inverse is not None and is_customer else None

    def unique_keys(self) -> list[str]:
        """The columns of which each alone identifies a row of an upsert."""
        return [name for name, column in self.columns.items() if column.options.is_upsert_key]


def define(entity: type[Any], options: EntityOptions) -> EntityDefinition:
    """Reads a class body and the words behind the class name; raises TypeError for a body that cannot be read."""
    body = vars(entity)
    annotations: dict[str, Any] = {}
    for name, annotation in inspect.get_annotations(entity).items():
        if getattr(annotation, "__origin__", None) is not Column or not isinstance(body.get(name), Column):
            raise TypeError(f"{entity.__name__}.{name}: declare it as Column[…] = field(…)")
        (annotations[name],) = typing.get_args(annotation)
    columns = {name: value for name, value in body.items() if isinstance(value, Column)}
    bare = columns.keys() - annotations.keys()
    if bare:
        raise TypeError(f"{entity.__name__}.{min(bare)}: declare its type as Column[…]")
    links = {name: value for name, value in body.items() if isinstance(value, Link)}
    members = [name for name in body if name in columns or name in links or isinstance(body[name], SubjectLink)]
    if any(column.options.verified_by for column in columns.values()):
        columns[UNVERIFIED], annotations[UNVERIFIED] = _unverified(columns.values()), list[str]
        members.append(UNVERIFIED)
    return EntityDefinition(
        entity,
        options,
        columns,
        annotations,
        links,
        {name: value for name, value in body.items() if isinstance(value, UnionOfLinks)},
        {name: value for name, value in body.items() if isinstance(value, SubjectLink)},
        {name: value for name, value in body.items() if isinstance(value, MergedList)},
        {name: value for name, value in body.items() if isinstance(value, LinkGroup)},
        {name: value for name, value in body.items() if isinstance(value, PythonField)},
        tuple(members),
        _ownership(entity, options),
        _parent_link(options),
    )


def _unverified(columns: Iterable[Column[Any]]) -> Column[Any]:
    """The column of the fields under dual control whose values nobody else has confirmed."""
    inside = all(column.options.inside for column in columns if column.options.verified_by)
    options = FieldOptions(
        description="Fields whose values another person must still confirm, or has refuted.",
        server_default={},
        writable="command",
        inside=inside,
        personal=PersonalData.NOT_PERSONAL,
        reveals="row",
    )
    return Column(options)


def _ownership(entity: type[Any], options: EntityOptions) -> Ownership:
    if "owned_by" in options:
        return options["owned_by"]
    parent = options.get("part_of")
    if parent is None or not parent.definition.has_customer or parent.definition.customer_optional:
        raise TypeError(f"{entity.__name__}: say whose rows they are with owned_by=…")
    return inside if parent.definition.scope.name == "inside" else customer_owned


def _parent_link(options: EntityOptions) -> Link | None:
    if "part_of" not in options:
        return None
    target = options["part_of"]
    words = snake_case(target.__name__)
    name, description = options.get("parent", (words, f"The {words.replace('_', ' ')} that it is part of."))
    return Link(
        target=target,
        description=description,
        optional=False,
        inverse=options.get("inverse"),
        index=True,
        enforced=True,
        on_delete="cascade",
        writable="create",
        server_filled=False,
        tree=None,
        label=None,
        name=name,
    )


def snake_case(name: str) -> str:
    """`OrderItem` → `order_item`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def plural_of(noun: str) -> str:
    """The regular English plural: `address` → `addresses`, `delivery` → `deliveries`."""
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(s|x|ch|sh)$", noun) else "s")
