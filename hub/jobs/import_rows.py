"""Rows of an import as lines describe them: the cells of a line become values, links and identifiers. Reads no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from hub.domain.customers.bulk_identify import Identification, SourcedIdentifier
from hub.domain.customers.customers import canonical_identifier
from hub.domain.customers.observations import NormalizedIdentifier
from hub.domain.exchange.dry_runs import DryRun, SeenRow
from hub.domain.exchange.mapping_types import (
    IdentifierSource,
    ImportMapping,
    JsonSource,
    LinkSource,
    RowSource,
    ValueSource,
)
from hub.errors import BadInput, HubError
from hub.jobs.import_files import FileLine
from hub.jobs.import_values import FileRecord, Parse, field_parser, read_cell, read_object, value_error
from hub.model import validators
from hub.model.rules import Write
from hub.model.writer import writer_of
from hub.text_case import camel_case
from hub.viewer import Viewer


@dataclass(frozen=True, slots=True)
class LineFault:
    """Why a line is refused: the error, the row of the mapping, and the columns that it is about."""

    error: HubError
    row: RowSource | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        if self.row is None or self.error.argument is None:
            return ()
        name, _, index = self.error.argument.partition(".")[0].partition("[")
        if name == "identifiers":
            number = index.rstrip("]")
            sources = [self.row.identifiers[int(number)]] if number.isdigit() else self.row.identifiers
            return tuple(column for source in sources for column in source.columns)
        fields = (self.row.fields.get(candidate) for candidate in (name, f"{name}_id"))
        return next((source.columns for source in fields if source is not None), ())


@dataclass(eq=False, slots=True)
class PlannedRow:
    """A row that lines describe: its values as given, and what is to be done."""

    source: RowSource
    values: dict[str, Any]
    clears: frozenset[str]
    identifiers: tuple[SourcedIdentifier, ...]
    key: UUID | None = None
    is_new: bool = False
    prepared: dict[str, Any] | None = None  # of a new row
    updates: dict[str, Any] | None = None  # of an existing one; empty if nothing changes
    new_identifiers: Sequence[SourcedIdentifier] = ()
    identification: Identification | None = None
    seen: SeenRow | None = None  # what earlier lines of a dry run would have made of it
    is_virtual: bool = False  # whether it depends on such a row, so that the database cannot take it
    written: Mapping[str, Any] | None = None  # the values in normal form, of an existing row in a dry run


@dataclass(eq=False, slots=True)
class ImportLine:
    """A line of the file, the rows that it makes by the names of the mapping, and why it is refused, if it is."""

    line: FileLine
    rows: dict[str, PlannedRow] = field(default_factory=dict)
    fault: LineFault | None = None
    left_out: list[str] = field(default_factory=list)  # entities of rows that were refused without their line


class RowStamps:
    """The keys and times of new rows: random keys, and the time of the import. The sample data has its own."""

    def of_row(self, row: PlannedRow) -> UUID:
        """The key of a row; those of the rows that it links to are known."""
        return uuid7()

    def of_identifier(self, row: PlannedRow, identifier: NormalizedIdentifier) -> UUID:
        """The key of an identifier of a customer's row."""
        return uuid7()

    def created_at(self, row: PlannedRow) -> datetime | None:
        """The time of a row, and of identifiers that come with it; None for that of the import."""
        return None


USUAL_STAMPS = RowStamps()


def key_or_value(value: Any) -> Any:
    return value.key if isinstance(value, PlannedRow) else value


class CompiledRow:
    """A row of the mapping, ready to read lines."""

    def __init__(self, source: RowSource, mapping: ImportMapping) -> None:
        self.source = source
        self.writer = writer_of(source.entity)
        self._parsers: dict[str, Parse] = {}
        self.lookups: dict[str, LinkSource] = {}
        for name, value in source.fields.items():
            if isinstance(value, ValueSource):
                self._parsers[name] = field_parser(source.entity, name, value, mapping.file)
            elif isinstance(value, LinkSource) and value.row is None:
                self.lookups[name] = value
                if value.value is not None and value.find is not None:
                    self._parsers[name] = field_parser(value.target, value.find, value.value, mapping.file)

    @cached_property
    def match_argument(self) -> str:
        """The name of what finds existing rows, for errors."""
        if self.source.by_identifiers:
            return "identifiers"
        names = [name for name in self.source.match if name not in ("customer_id",)]
        return camel_case(names[0]) if names else "match"

    def by_customer(self, link: LinkSource) -> bool:
        """Whether a link's target is looked for among the rows of the row's customer alone."""
        definition = link.target.definition
        has_both = definition.has_customer and "customer_id" in self.source.fields
        return has_both and definition.columns[str(link.find)].options.unique is None

    def describe(self, line: ImportLine) -> PlannedRow:
        """The row as the line describes it; raises BadInput."""
        record = line.line.record
        values: dict[str, Any] = {}
        clears: set[str] = set()
        for name, source in self.source.fields.items():
            value = self._value(name, source, line)
            if value is not None:
                values[name] = value
            elif isinstance(source, ValueSource) and source.clears:
                values[name] = None
                clears.add(name)
        sourced: dict[tuple[str, str, str], SourcedIdentifier] = {}
        for index, identifier in enumerate(self.source.identifiers):
            read = _identifier(identifier, record, values.get("country"), f"identifiers[{index}]")
            if read is not None:
                sourced.setdefault(read.token, read)
        return PlannedRow(self.source, values, frozenset(clears), tuple(sourced.values()))

    def _value(self, name: str, source: Any, line: ImportLine) -> Any:
        record = line.line.record
        if isinstance(source, JsonSource):
            return read_object(source, record)
        if isinstance(source, LinkSource):
            if source.row is not None:
                return line.rows.get(source.row)
            if source.identifier is not None:
                return _identifier(source.identifier, record, None, name)
            source = source.value
        assert isinstance(source, ValueSource)
        try:
            value = read_cell(source, record)
            if value is None:
                return None
            value = self._parsers[name](value)
            if source.skips_invalid or name in self.source.match:
                value = self.writer.canonical({name: value})[name]
            return value
        except (ValueError, BadInput) as fault:
            if source.skips_invalid:
                return None
            if isinstance(fault, BadInput):
                raise
            raise value_error(name, fault) from None

    def match_values(self, row: PlannedRow, viewer: Viewer, now: datetime) -> dict[str, Any]:
        """The values that find the existing row, in normal form; raises BadInput."""
        names = self.source.match
        values = {name: key_or_value(row.values.get(name)) for name in names}
        if any(name in self.writer.entity.rules.computations for name in names):
            written = {name: key_or_value(value) for name, value in row.values.items()}
            canonical = self.writer.canonical(written)
            values |= self.writer.computed(Write("create", canonical, None, viewer, now))
        return {name: values[name] for name in names}

    def dry_run_tokens(self, dry_run: DryRun, row: PlannedRow, viewer: Viewer, now: datetime) -> list[bytes]:
        """What later lines of a dry run find the row by; nothing while it belongs to a row without a key."""
        if self.source.by_identifiers:
            return [dry_run.token(self.source.name, identifier.token) for identifier in row.identifiers]
        if not self.source.match or any(
            isinstance(value, PlannedRow) and value.key is None for value in row.values.values()
        ):
            return []
        return [dry_run.token(self.source.name, tuple(self.match_values(row, viewer, now).values()))]

    def tokens(self, draft: PlannedRow, line: ImportLine) -> list[Any]:
        """What is equal for two rows that are one, or may be."""
        if self.source.by_identifiers or draft.identifiers:
            return [identifier.token for identifier in draft.identifiers]
        if not self.source.match:
            return []
        values = (draft.values.get(name) for name in self.source.match)
        return [tuple(key_or_value(value) for value in values)]


def _identifier(source: IdentifierSource, record: FileRecord, country: Any, argument: str) -> SourcedIdentifier | None:
    try:
        cell = read_cell(source.value, record)
        if cell is None:
            return None
        value = validators.single_line(str(cell))
        region = None if source.country is None else read_cell(source.country, record)
        normalized = canonical_identifier(source.kind, value, region or country)
    except (ValueError, BadInput) as fault:
        if source.value.skips_invalid:
            return None
        error = fault if isinstance(fault, BadInput) else value_error("value", fault)
        if error.argument != "country" or source.country is not None:  # else it is the customer's own
            error.message, error.argument = f"{argument}.{error.message}", f"{argument}.{error.argument}"
        raise error from None
    return SourcedIdentifier(NormalizedIdentifier(source.kind, value, normalized, source.verified), source.source or "")
