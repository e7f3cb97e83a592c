"""Fields of an entity: `name: Column[str] = field("What people call it.")` is a column and a field of the GraphQL type.

On the class, a field reads as its table's column, with the exact Python type."""

import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Generic, Literal, TypeAlias, TypedDict, TypeVar, Unpack, overload
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from hub.model.columns import DescribedEnum, Ltree, enum_column, money, timestamp
from hub.model.personal import PersonalData
from hub.model.scalars import Json, MoneyAmount

T = TypeVar("T")
Writable: TypeAlias = Literal["always", "create", "command"]
Prefix: TypeAlias = Literal["customer", "unit"]
Reveals: TypeAlias = Literal["row", "subject", "everything"] | tuple[str, ...]


class Unset(Enum):
    """Stands for an option that is left out, where None is a value."""

    UNSET = "unset"


class Now(Enum):
    """Stands for the time of the request as a default."""

    NOW = "now"


class UniqueRange(Enum):
    """The rows among which values are unique: all rows, those that a viewer sees, or those of one customer.

    Values that are unique among all rows tell a viewer that a hidden row has one: hub/model/collisions.py limits how often.
    Only the last survives a table that is distributed by `customer_id`; the others need a lookup table then."""

    GLOBAL = "global"
    VISIBLE = "visible"
    CUSTOMER = "customer"


UNSET: Final = Unset.UNSET
NOW: Final = Now.NOW
GLOBAL: Final = UniqueRange.GLOBAL
WITHIN_VISIBLE: Final = UniqueRange.VISIBLE
WITHIN_CUSTOMER: Final = UniqueRange.CUSTOMER


class FieldWords(TypedDict, total=False):
    """The words of a field beside its description and its default."""

    server_default: Any  # the column's DEFAULT in the database, where it is not `default`
    # Returns a value's normal form, for writes and filters; raises ValueError with the remedy.
    check: Callable[[Any], Any]
    unique: UniqueRange  # the rows among which a value is unique
    upsert_key: bool  # whether it finds the row of an upsert; a unique field does, unless this says False
    sortable: bool  # whether lists may be sorted by it, which takes an index on (column, id)
    null_as: str  # what stands for null in that index, if the field is nullable: a text, or "infinity" for a time
    by: Sequence[Prefix]  # also an index behind the key of the customer or the unit
    writable: Writable  # who writes it: callers always, callers for new rows only, or commands only
    computed: bool  # whether a rule computes it, for new rows and whenever one of its inputs changes
    server_filled: bool  # whether rules or the database fill it in, so that null means left out
    merged_by_key: bool  # whether an update merges the JSON object by top-level key, where null removes one
    hidden: bool  # whether it is a column only, and no field of the API
    personal: (
        PersonalData  # whether it is about a person, and how; columns of keys, and numbers of things, need not say it
    )
    inside: bool  # whether it is about the customer and not for it: unknown to its own keys, unless a setting opens it
    secret: bool  # hidden, and in no image of a row in the change log
    unlogged: bool  # whether the change log does not record its changes alone: they are too many
    filterable: bool  # whether filters may name it; True when left out
    verified_by: str  # the permission to confirm values of it that somebody else wrote: dual control
    # Whose columns under dual control it is about, or the fields that it tells of, as `Customer.name`, or everything: unknown to
    # whoever does not read all of these.
    reveals: Reveals
    precision: tuple[int, int]  # digits in all, digits behind the point
    sourced: bool  # whether the hub keeps what each source says of it; see provenance.py


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOptions:
    """Everything that a declaration says of one column besides its type; see FieldWords."""

    description: str
    default: Any = UNSET
    server_default: Any = UNSET
    check: Callable[[Any], Any] | None = None
    unique: UniqueRange | None = None
    upsert_key: bool | None = None
    sortable: bool = False
    null_as: str | None = None
    by: Sequence[Prefix] = ()
    writable: Writable = "always"
    computed: bool = False
    server_filled: bool = False
    merged_by_key: bool = False
    hidden: bool = False
    inside: bool = False
    personal: PersonalData | None = None
    secret: bool = False
    unlogged: bool = False
    filterable: bool = True
    verified_by: str | None = None
    reveals: Reveals | None = None
    precision: tuple[int, int] | None = None
    sourced: bool = False
    generated: str | None = None  # the SQL expression
    normal_form_of: tuple[str, ...] = ()  # the columns that a normal form is made from
    copied_from: "sa.Column[Any] | None" = None
    filter_entity: "type[Any] | str | None" = None  # of a stored filter: its entity, or the column that names it

    @property
    def column_default(self) -> Any:
        """The DEFAULT of the column in the database; UNSET for none."""
        return self.default if self.server_default is UNSET else self.server_default

    @property
    def is_upsert_key(self) -> bool:
        return self.unique is not None if self.upsert_key is None else self.upsert_key

    @property
    def is_hidden(self) -> bool:
        return self.hidden or self.secret

    @property
    def rule_filled(self) -> bool:
        """Whether rules or the database fill the column, so that no caller may."""
        return bool(self.computed or self.generated or self.normal_form_of or self.copied_from is not None)


class Column(Generic[T]):
    """A field of an entity; on the class it reads as the table's column."""

    def __init__(self, options: FieldOptions) -> None:
        self.options = options
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: None, owner: type[Any]) -> "sa.Column[T]":
        column: sa.Column[T] = owner.table.c[self.name]
        return column


@overload
def field(description: str, *, default: T, **words: Unpack[FieldWords]) -> Column[T]: ...
@overload
def field(description: str, *, default: Now | Unset = ..., **words: Unpack[FieldWords]) -> Any: ...
def field(description: str, *, default: Any = UNSET, **words: Unpack[FieldWords]) -> Any:
    """Declares a column that is also a field of the GraphQL type.

    `default` is what a new row gets where the caller leaves the field out; an explicit null is refused then. It is also the
    column's DEFAULT, for rows that SQL inserts. NOW is the time of the request. FieldWords explains the other words."""
    return Column(FieldOptions(description=description, default=default, **words))


def generated(
    description: str, expression: str, *, sortable: bool = False, personal: PersonalData | None = None
) -> Any:
    """Declares a column that the database computes from others of its row; `expression` is SQL."""
    return Column(FieldOptions(description=description, generated=expression, sortable=sortable, personal=personal))


def normal_form(description: str, *, source: str, by: str) -> Any:
    """Declares the normal form of the column `source`, which depends on `by`; a rule of the domain makes it."""
    return Column(FieldOptions(description=description, normal_form_of=(by, source)))


def copied(description: str, source: "sa.Column[Any]") -> Any:
    """Declares a column that a new row takes over from the row that it is part of."""
    return Column(FieldOptions(description=description, copied_from=source))


def stored_filter(description: str, *, entity: "type[Any] | None" = None, entity_in: str | None = None) -> Any:
    """Declares a column that holds a filter, as JSON: `{"owner": {"name": {"eq": "Ana"}}}`; see stored_filters.py.

    It filters rows of `entity`, or of the type that the row's column `entity_in` names."""
    # It may name anybody.
    options = FieldOptions(
        description=description,
        filterable=False,
        filter_entity=entity or entity_in,
        personal=PersonalData.FREE_TEXT,
    )
    return Column(options)


def system_column() -> Any:
    """Declares a column that every entity has; the table builder describes it."""
    return Column(FieldOptions(description="", writable="command"))


def split_optional(annotation: Any) -> tuple[Any, bool]:
    """An annotation without its `| None`, and whether it had one."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        rest = [member for member in typing.get_args(annotation) if member is not types.NoneType]
        return (rest[0], True) if len(rest) == 1 else (annotation, False)
    return annotation, False


_SQL_TYPES: dict[Any, Callable[[], sa.types.TypeEngine[Any]]] = {
    str: sa.Text,
    bytes: sa.LargeBinary,
    int: sa.Integer,
    bool: sa.Boolean,
    MoneyAmount: money,
    datetime: timestamp,
    date: sa.Date,
    UUID: sa.Uuid,
    Json: JSONB,
    Ltree: Ltree,
}


def sql_type(python_type: Any, precision: tuple[int, int] | None, check_name: str | None) -> sa.types.TypeEngine[Any]:
    """The SQL type of a Python type; raises TypeError for one that no column can have.

    `check_name` tells apart the CHECKs of two columns with the same enum in one table."""
    if python_type is Decimal:
        if precision is None:
            raise TypeError("a Decimal needs its precision, like precision=(18, 4)")
        return sa.Numeric(*precision)
    if typing.get_origin(python_type) is list:
        return ARRAY(sql_type(typing.get_args(python_type)[0], precision, check_name))
    if isinstance(python_type, type) and issubclass(python_type, DescribedEnum):
        return enum_column(python_type, check_name)
    if python_type in _SQL_TYPES:
        return _SQL_TYPES[python_type]()
    raise TypeError(f"a column cannot be declared as {python_type!r}")


def server_default_sql(value: Any) -> "sa.ColumnElement[Any] | sa.TextClause":
    """The DEFAULT of a column as SQL."""
    if value is NOW:
        return sa.func.now()
    if isinstance(value, bool):
        return sa.true() if value else sa.false()
    if isinstance(value, int | Decimal):
        return sa.text(str(value))
    if isinstance(value, Enum):
        return sa.text(f"'{value.value}'")
    if isinstance(value, str):
        return sa.text("'" + value.replace("'", "''").replace(":", "\\:") + "'")
    if value in ({}, []):
        return sa.text(f"'{value}'")
    raise TypeError(f"a column's DEFAULT cannot be {value!r}")
