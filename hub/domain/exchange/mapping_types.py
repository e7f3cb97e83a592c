"""What a mapping says: of a file, which columns make which fields of which rows. hub/domain/exchange/mapping.py reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any, TypeAlias

from hub.model.columns import DescribedEnum
from hub.model.entity import Entity
from hub.schema.customers.customers import IdentifierKind


class ImportMode(DescribedEnum):
    """What an import does with the rows of its lines."""

    CREATE = "CREATE", "Creates rows; a line whose row exists is refused."
    UPDATE = "UPDATE", "Updates rows; a line whose row does not exist is refused."
    UPSERT = "UPSERT", "Updates rows that exist and creates the others."


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What a file is written like; None for what the hub finds out itself."""

    encoding: str | None = None
    delimiter: str | None = None
    columns: tuple[str, ...] | None = None  # the names of the columns of a file without a header
    decimal: str | None = None  # the decimal separator
    date_format: str | None = None
    timezone: str = "UTC"  # of times without an offset
    guesses_decimal: bool = (
        False  # whether nobody said it: `decimal` then decides what would be ambiguous, and nothing else
    )


@dataclass(frozen=True, slots=True)
class ValueSource:
    """Where a value comes from: a column, a template of columns, or a constant."""

    column: str | None = None
    template: str | None = None
    constant: Any = None
    values: Mapping[str, Any] | None = None  # what stands for what
    default: Any = None  # where the cell is empty
    filled: Any = None  # where it is not, in place of the cell
    date_format: str | None = None
    decimal: str | None = None
    clears: bool = False  # whether an empty cell empties the field of an existing row; else it leaves it alone
    skips_invalid: bool = False  # whether an invalid value is left out; else its line is rejected

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        if self.template is not None:
            return tuple(name for _, name, _, _ in Formatter().parse(self.template) if name)
        return () if self.column is None else (self.column,)


@dataclass(frozen=True, slots=True)
class JsonSource:
    """A JSON object of values; what is empty is left out."""

    members: Mapping[str, "ValueSource | JsonSource"]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for member in self.members.values() for column in member.columns)


@dataclass(frozen=True, slots=True)
class IdentifierSource:
    """An identifier of a customer; telephone numbers are read in `country`, else in the customer's own.

    Without a `source`, which only a link may leave out, it finds a customer by whatever system reported it."""

    kind: IdentifierKind
    value: ValueSource
    source: str | None
    verified: bool = False
    country: ValueSource | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.value.columns, *(self.country.columns if self.country else ()))


@dataclass(frozen=True, slots=True)
class LinkSource:
    """Which row a link leads to: one of the same line, or one that a column or an identifier finds."""

    target: type[Entity]
    row: str | None = None
    find: str | None = None  # the column of the target that has the value
    value: ValueSource | None = None
    identifier: IdentifierSource | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        source = self.value if self.identifier is None else self.identifier
        return () if source is None else source.columns


FieldSource: TypeAlias = ValueSource | JsonSource | LinkSource


@dataclass(frozen=True, slots=True)
class RowSource:
    """One row of each line: its entity, its fields by column, and what finds an existing one."""

    entity: type[Entity]
    name: str
    fields: Mapping[str, FieldSource]
    match: tuple[str, ...] = ()  # columns of the table
    identifiers: tuple[IdentifierSource, ...] = ()
    by_identifiers: bool = False  # whether `identifiers` find the row, which is a customer's
    when: str | None = None  # the row is left out where this column is empty
    mode: ImportMode | None = None
    skips_invalid: bool = False  # whether a row that is refused is left out; else its line is

    @property
    def columns(self) -> tuple[str, ...]:
        sources: list[FieldSource | IdentifierSource] = [*self.fields.values(), *self.identifiers]
        own = [column for source in sources for column in source.columns]
        return tuple(dict.fromkeys([*own, *([] if self.when is None else [self.when])]))


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """A whole mapping. Rows come in the order in which they are written."""

    file: FileFormat
    rows: tuple[RowSource, ...]
    source: str | None = None  # who says what the lines say; of the key that runs the import without one

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the file that it reads."""
        return tuple(dict.fromkeys(column for row in self.rows for column in row.columns))
