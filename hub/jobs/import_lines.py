"""Lines of an import on their way to rows: values, links, existing rows, and new ones that are complete. Nothing is written.

Lines that describe the same row alike share it. One that contradicts an earlier line of its batch waits for the next wave."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.customers.bulk_identify import Identification, SourcedIdentifier, identify_many
from hub.domain.customers.customers import canonical_identifier
from hub.domain.customers.observations import NormalizedIdentifier
from hub.domain.exchange.mapping_types import (
    IdentifierSource,
    ImportMapping,
    ImportMode,
    LinkSource,
    ObjectSource,
    RowSource,
    ValueSource,
)
from hub.errors import BadInput, HubError, NotFound
from hub.jobs.import_files import FileLine
from hub.jobs.import_values import FileRecord, Parse, field_parser, is_empty, read_cell, read_object, value_error
from hub.jobs.uuid7 import uuid7
from hub.model import bulk_statements, exact_json, validators
from hub.model.entity import Entity
from hub.model.rows import not_visible
from hub.model.rules import Write
from hub.model.writer import EntityWriter, default_unit, writer_of
from hub.schema.customers.customers import Customer
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


@dataclass(eq=False, slots=True)
class ImportLine:
    """A line of the file, the rows that it makes by the names of the mapping, and why it is refused, if it is."""

    line: FileLine
    rows: dict[str, PlannedRow] = field(default_factory=dict)
    fault: LineFault | None = None


class LinePlanner:
    """Plans the lines of one import."""

    def __init__(self, mapping: ImportMapping, mode: ImportMode, viewer: Viewer) -> None:
        self._mode = mode
        self.viewer = viewer
        self.compiled = [_CompiledRow(row, mapping) for row in mapping.rows]

    async def plan(
        self, tx: Connection, lines: Sequence[ImportLine], now: datetime, breathe: Callable[[], Any]
    ) -> list[ImportLine]:
        """Plans lines and returns those that have to wait, since an earlier one describes the same row otherwise.

        `breathe` is awaited now and then, so that other work of the process goes on."""
        waiting: list[ImportLine] = []
        active = [line for line in lines if line.fault is None]
        for compiled in self.compiled:
            active = [line for line in active if line.fault is None]
            planned, active = await self._describe(tx, compiled, active, waiting, breathe)
            await self._match(tx, compiled, planned, active)
            await self._complete(tx, compiled, planned, active, now, breathe)
        return waiting

    async def _describe(
        self,
        tx: Connection,
        compiled: "_CompiledRow",
        lines: Sequence[ImportLine],
        waiting: list[ImportLine],
        breathe: Callable[[], Any],
    ) -> tuple[list[PlannedRow], list[ImportLine]]:
        """The rows that the lines describe, each once, and the lines that go on."""
        drafts: list[tuple[ImportLine, PlannedRow]] = []
        for index, line in enumerate(lines):
            if index % 20 == 19:
                await breathe()
            if compiled.source.when is not None and is_empty(line.line.record.get(compiled.source.when)):
                continue
            try:
                drafts.append((line, compiled.describe(line)))
            except HubError as error:
                line.fault = LineFault(error, compiled.source)
        await self._find_links(tx, compiled, drafts)
        known: dict[Any, PlannedRow] = {}
        planned: list[PlannedRow] = []
        blocked: set[int] = set()
        for line, draft in drafts:
            if line.fault is not None:
                continue
            tokens = compiled.tokens(draft, line)
            earlier = next((known[token] for token in tokens if token in known), None)
            if earlier is None:
                planned.append(draft)
                line.rows[compiled.source.name] = draft
                known |= dict.fromkeys(tokens, draft)
            elif earlier.values == draft.values and earlier.identifiers == draft.identifiers:
                line.rows[compiled.source.name] = earlier
            else:
                waiting.append(line)
                blocked.add(id(line))
        return planned, [line for line in lines if line.fault is None and id(line) not in blocked]

    async def _find_links(
        self, tx: Connection, compiled: "_CompiledRow", drafts: Sequence[tuple[ImportLine, PlannedRow]]
    ) -> None:
        for column, link in compiled.lookups.items():
            if link.identifier is not None:
                await self._find_customers(tx, compiled, column, drafts)
                continue
            assert link.find is not None
            keys_by_value = await self._find_rows(tx, link, [draft.values.get(column) for _, draft in drafts])
            for line, draft in drafts:
                value = draft.values.get(column)
                if value is None or line.fault is not None:
                    continue
                keys = keys_by_value.get((value, _customer_of(draft) if compiled.by_customer(link) else None), [])
                if len(keys) == 1:
                    draft.values[column] = keys[0]
                else:
                    line.fault = LineFault(_not_one(column, len(keys)), compiled.source)

    async def _find_rows(
        self, tx: Connection, link: LinkSource, values: Iterable[Any]
    ) -> Mapping[tuple[Any, UUID | None], list[UUID]]:
        """The keys of rows by the value of the column, and by their customer where the column is unique within one."""
        target, find = link.target, str(link.find)
        sought = [{find: value} for value in dict.fromkeys(values) if value is not None]
        keys_by_value: dict[tuple[Any, UUID | None], list[UUID]] = defaultdict(list)
        for number, row in await _match_rows(tx, self.viewer, target, (find,), sought):
            for customer in (row.get("customer_id"), None):
                keys_by_value[sought[number][find], customer].append(row["id"])
        return {key: list(dict.fromkeys(keys)) for key, keys in keys_by_value.items()}

    async def _find_customers(
        self,
        tx: Connection,
        compiled: "_CompiledRow",
        column: str,
        drafts: Sequence[tuple[ImportLine, PlannedRow]],
    ) -> None:
        pending = [(line, draft) for line, draft in drafts if isinstance(draft.values.get(column), SourcedIdentifier)]
        groups = list(dict.fromkeys(draft.values[column] for _, draft in pending))
        identified = await identify_many(tx, self.viewer, [[group] for group in groups]) if groups else []
        customers = {group: one.customer for group, one in zip(groups, identified, strict=True)}
        for line, draft in pending:
            customer = customers[draft.values[column]]
            if customer is None:
                line.fault = LineFault(not_visible(column), compiled.source)
            else:
                draft.values[column] = customer

    async def _match(
        self, tx: Connection, compiled: "_CompiledRow", planned: Sequence[PlannedRow], lines: Sequence[ImportLine]
    ) -> None:
        """Finds the existing rows; those without one are new."""
        source = compiled.source
        stored: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        faults: dict[int, HubError] = {}
        if source.by_identifiers:
            stored, faults = await self._match_customers(tx, planned)
        elif source.match:
            sought, rows = [], []
            for row in planned:
                links = [value for name in source.match if isinstance(value := row.values.get(name), PlannedRow)]
                if not any(link.is_new or link.key is None for link in links):  # nothing exists of a new row
                    sought.append({name: _key_or_value(row.values.get(name)) for name in source.match})
                    rows.append(row)
            for number, record in await _match_rows(tx, self.viewer, source.entity, source.match, sought):
                stored[id(rows[number])].append(record)
        mode = source.mode or self._mode
        for row in planned:
            records = stored.get(id(row), [])
            try:
                if id(row) in faults:
                    raise faults[id(row)]
                self._decide(compiled, row, records, mode)
            except HubError as error:
                _refuse_lines(lines, row, error)

    def _decide(
        self, compiled: "_CompiledRow", row: PlannedRow, records: Sequence[Mapping[str, Any]], mode: ImportMode
    ) -> None:
        argument = compiled.match_argument
        if len(records) > 1:
            raise _not_one(argument, len(records))
        if not records:
            if mode is ImportMode.UPDATE:
                raise NotFound(f"{argument}: no row is found by it, and this import creates none.", argument=argument)
            row.key, row.is_new = uuid7(), True
            return
        if mode is ImportMode.CREATE:
            message = (
                f"{argument}: a row with it exists, and this import updates none; leave the line out, or use UPSERT."
            )
            raise BadInput(message, code="ALREADY_EXISTS", argument=argument)
        row.key = records[0]["id"]
        row.updates = _updates(compiled.writer, row, records[0], self.viewer)

    async def _match_customers(
        self, tx: Connection, planned: Sequence[PlannedRow]
    ) -> tuple[dict[int, list[Mapping[str, Any]]], dict[int, HubError]]:
        stored: dict[int, list[Mapping[str, Any]]] = {}
        faults: dict[int, HubError] = {}
        rows = [row for row in planned if row.identifiers]
        identified = await identify_many(tx, self.viewer, [row.identifiers for row in rows]) if rows else []
        keys = [{"id": one.customer} for one in identified if one.customer is not None]
        records = {record["id"]: record for _, record in await _match_rows(tx, self.viewer, Customer, ("id",), keys)}
        for row, identification in zip(rows, identified, strict=True):
            row.identification, row.new_identifiers = identification, identification.new
            if identification.customer is not None:
                stored[id(row)] = [records[identification.customer]] if identification.customer in records else []
        for row in planned:
            if not row.identifiers:
                message = "identifiers: the line has none, so nobody can be found by them; give one."
                faults[id(row)] = BadInput(message, code="IDENTIFIER_LIMIT", argument="identifiers")
        return stored, faults

    async def _complete(
        self,
        tx: Connection,
        compiled: "_CompiledRow",
        planned: Sequence[PlannedRow],
        lines: Sequence[ImportLine],
        now: datetime,
        breathe: Callable[[], Any],
    ) -> None:
        """Runs the rules of new rows; links to rows that are new as well are known by then."""
        unit: UUID | None = None
        writer = compiled.writer
        for index, row in enumerate(planned):
            if index % 10 == 9:
                await breathe()
            if row.key is None:
                continue
            try:
                for column, value in row.values.items():
                    if isinstance(value, PlannedRow):
                        if value.key is None:
                            raise not_visible(column)
                        row.values[column] = value.key
                if row.is_new:
                    values = row.values
                    if (
                        "unit_id" in writer.creatable
                        and writer.is_filled("unit_id")
                        and values.get("unit_id") is None
                        and not self.viewer.rights.roles
                    ):
                        unit = unit or await default_unit(tx, self.viewer)
                        values = {**values, "unit_id": unit}
                    row.prepared = await writer.prepare(tx, self.viewer, values, now)
            except HubError as error:
                _refuse_lines(lines, row, error)


def _refuse_lines(lines: Sequence[ImportLine], row: PlannedRow, error: HubError) -> None:
    for line in lines:
        if line.rows.get(row.source.name) is row and line.fault is None:
            line.fault = LineFault(error, row.source)


def _key_or_value(value: Any) -> Any:
    return value.key if isinstance(value, PlannedRow) else value


def _customer_of(draft: PlannedRow) -> UUID | None:
    customer = draft.values.get("customer_id")
    if isinstance(customer, PlannedRow):
        return customer.key
    return customer if isinstance(customer, UUID) else None


def _not_one(argument: str, count: int) -> HubError:
    if count == 0:
        return not_visible(argument)
    message = f"{argument}: {count} rows are found by it; name more fields in `match`, or correct the rows."
    return BadInput(message, code="UPSERT_AMBIGUOUS", argument=argument)


async def _match_rows(
    tx: Connection, viewer: Viewer, entity: type[Entity], names: tuple[str, ...], sought: Sequence[Mapping[str, Any]]
) -> list[tuple[int, Mapping[str, Any]]]:
    """The visible rows with the sought values, each with the number of what it was sought by."""
    if not sought:
        return []
    statement = bulk_statements.match_many(entity.table, names, viewer.rights)
    arguments = bulk_statements.array_arguments(statement, entity.table, names, sought, viewer)
    return [(row["ordinal"] - 1, dict(row)) for row in await tx.fetch(statement.text, *arguments)]


def _updates(writer: EntityWriter, row: PlannedRow, stored: Mapping[str, Any], viewer: Viewer) -> dict[str, Any]:
    """The values that change the stored row; raises BadInput for one that an import does not change."""
    values = {
        name: _key_or_value(value) for name, value in row.values.items() if value is not None or name in row.clears
    }
    canonical = writer.canonical(values)
    differing = {name for name, value in canonical.items() if _differs(writer, name, value, stored)}
    for name in sorted(differing):
        if name not in writer.updatable:
            message = f"{name}: the row exists, and an import does not change it; give what it has, or leave it out."
            raise BadInput(message, argument=name)
    if differing:
        return {name: value for name, value in values.items() if name in writer.updatable}
    write = Write("update", canonical, None, viewer, stored["updated_at"])
    for authorize in writer.entity.rules.authorizers:
        authorize(write)
    return {}


def _differs(writer: EntityWriter, name: str, value: Any, stored: Mapping[str, Any]) -> bool:
    before = stored[name]
    if name in writer.merged_columns and isinstance(value, dict):
        before = exact_json.loads(before)
        merged = {key: member for key, member in {**before, **value}.items() if member is not None}
        return bool(merged != before)
    if isinstance(value, dict | list) and isinstance(before, str):
        return bool(exact_json.loads(before) != value)
    return bool(before != value)


class _CompiledRow:
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
        if isinstance(source, ObjectSource):
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

    def tokens(self, draft: PlannedRow, line: ImportLine) -> list[Any]:
        """What is equal for two rows that are one, or may be."""
        if self.source.by_identifiers or draft.identifiers:
            return [identifier.token for identifier in draft.identifiers]
        if not self.source.match:
            return []
        values = (draft.values.get(name) for name in self.source.match)
        return [tuple(_key_or_value(value) for value in values)]


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
        error.message, error.argument = f"{argument}.{error.message}", f"{argument}.{error.argument}"
        raise error from None
    return SourcedIdentifier(NormalizedIdentifier(source.kind, value, normalized, source.verified), source.source)
