"""Lines of an import on their way to rows: values, links, existing rows, and new ones that are complete. Nothing is written.

Lines that describe the same row alike share it. One that contradicts an earlier line of its batch waits for the next wave."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.customers.bulk_identify import SourcedIdentifier, find_many, identify_many
from hub.domain.exchange.dry_runs import DryRun
from hub.domain.exchange.mapping_types import (
    IdentifierSource,
    ImportMapping,
    ImportMode,
    LinkSource,
)
from hub.domain.identity import redirects
from hub.errors import BadInput, HubError, NotFound
from hub.jobs.import_matching import match_rows, not_one, updates_of, updates_of_seen
from hub.jobs.import_rows import (
    USUAL_STAMPS,
    CompiledRow,
    ImportLine,
    LineFault,
    PlannedRow,
    RowStamps,
)
from hub.jobs.import_values import is_empty
from hub.model.rows import default_unit, not_visible
from hub.schema.customers.customers import Customer
from hub.viewer import Viewer


class LinePlanner:
    """Plans the lines of one import."""

    def __init__(
        self,
        mapping: ImportMapping,
        mode: ImportMode,
        viewer: Viewer,
        stamps: RowStamps = USUAL_STAMPS,
        dry_run: DryRun | None = None,
    ) -> None:
        self._mode = mode
        self.dry_run = dry_run
        self._stamps = stamps
        self.viewer = viewer
        self.compiled = [CompiledRow(row, mapping) for row in mapping.rows]
        self.redirects: dict[UUID, UUID] = {}  # that were followed: former keys of customers, and whom they lead to

    async def plan(
        self, tx: Connection, lines: Sequence[ImportLine], now: datetime, breathe: Callable[[], Any]
    ) -> list[ImportLine]:
        """Plans lines and returns those that have to wait, since an earlier one describes the same row otherwise.

        `breathe` is awaited now and then, so that other work of the process goes on."""
        waiting: list[ImportLine] = []
        active = [line for line in lines if line.fault is None]
        for line in active:
            line.rows, line.left_out = {}, []
        for compiled in self.compiled:
            active = [line for line in active if line.fault is None]
            planned, active = await self._describe(tx, compiled, active, waiting, breathe)
            await self._match(tx, compiled, planned, active, now, breathe)
            await self._complete(tx, compiled, planned, active, now, breathe)
        return waiting

    async def _describe(
        self,
        tx: Connection,
        compiled: CompiledRow,
        lines: Sequence[ImportLine],
        waiting: list[ImportLine],
        breathe: Callable[[], Any],
    ) -> tuple[list[PlannedRow], list[ImportLine]]:
        """The rows that the lines describe, each once, and the lines that go on. Rows of waiting lines hold later ones back."""
        drafts: list[tuple[ImportLine, PlannedRow]] = []
        held = {id(line) for line in waiting}
        for index, line in enumerate(sorted((*lines, *waiting), key=lambda line: line.line.number)):
            if index % 4 == 3:
                await breathe()
            if compiled.source.when is not None and is_empty(line.line.record.get(compiled.source.when)):
                continue
            try:
                drafts.append((line, compiled.describe(line)))
            except HubError as error:
                if id(line) in held:
                    continue
                if compiled.source.skips_invalid:
                    line.left_out.append(compiled.source.entity.__name__)
                else:
                    line.fault = LineFault(error, compiled.source)
        await self._find_links(tx, compiled, [draft for draft in drafts if id(draft[0]) not in held])
        planned, blocked = await _assign(compiled, drafts, held, breathe)
        waiting += blocked
        waits = {id(line) for line in blocked}
        return planned, [line for line in lines if line.fault is None and id(line) not in waits]

    async def _find_links(
        self, tx: Connection, compiled: CompiledRow, drafts: Sequence[tuple[ImportLine, PlannedRow]]
    ) -> None:
        for column, link in compiled.lookups.items():
            if link.identifier is not None:
                await self._find_customers(tx, compiled, column, link.identifier, drafts)
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
                    line.fault = LineFault(not_one(column, len(keys)), compiled.source)

    async def _find_rows(
        self, tx: Connection, link: LinkSource, values: Iterable[Any]
    ) -> Mapping[tuple[Any, UUID | None], list[UUID]]:
        """The keys of rows by the value of the column, and by their customer where the column is unique within one."""
        target, find = link.target, str(link.find)
        sought = [{find: value} for value in dict.fromkeys(values) if value is not None]
        keys_by_value: dict[tuple[Any, UUID | None], list[UUID]] = defaultdict(list)
        for number, row in await match_rows(tx, self.viewer, target, (find,), sought):
            for customer in (row.get("customer_id"), None):
                keys_by_value[sought[number][find], customer].append(row["id"])
        if find == "id" and target is Customer:
            missing = [row["id"] for row in sought if (row["id"], None) not in keys_by_value]
            followed = await redirects.resolve(tx, missing, self.viewer) if missing else {}
            self.redirects.update(followed)
            for former, current in followed.items():
                keys_by_value[former, None].append(current)
        return {key: list(dict.fromkeys(keys)) for key, keys in keys_by_value.items()}

    async def _find_customers(
        self,
        tx: Connection,
        compiled: CompiledRow,
        column: str,
        source: IdentifierSource,
        drafts: Sequence[tuple[ImportLine, PlannedRow]],
    ) -> None:
        pending = [(line, draft) for line, draft in drafts if isinstance(draft.values.get(column), SourcedIdentifier)]
        groups = list(dict.fromkeys(draft.values[column] for _, draft in pending))
        if source.source is None:
            keys = await find_many(tx, self.viewer, [group.identifier for group in groups])
        else:
            keys = [one.customer for one in await identify_many(tx, self.viewer, [[group] for group in groups])]
        customers = dict(zip(groups, keys, strict=True))
        for line, draft in pending:
            customer = customers[draft.values[column]]
            if customer is None:
                line.fault = LineFault(not_visible(column), compiled.source)
            else:
                draft.values[column] = customer

    async def _match(
        self,
        tx: Connection,
        compiled: CompiledRow,
        planned: Sequence[PlannedRow],
        lines: Sequence[ImportLine],
        now: datetime,
        breathe: Callable[[], Any],
    ) -> None:
        """Finds the existing rows; those without one are new."""
        source = compiled.source
        stored: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        faults: dict[int, HubError] = {}
        if source.by_identifiers:
            stored, faults = await self._match_customers(tx, planned)
        elif source.match:
            sought, rows = [], []
            for index, row in enumerate(planned):
                if index % 25 == 24:
                    await breathe()
                links = [value for name in source.match if isinstance(value := row.values.get(name), PlannedRow)]
                if not any(link.is_new or link.key is None for link in links):  # nothing exists of a new row
                    try:
                        sought.append(compiled.match_values(row, self.viewer, now))
                        rows.append(row)
                    except HubError as error:
                        faults[id(row)] = error
            for number, record in await match_rows(tx, self.viewer, source.entity, source.match, sought):
                stored[id(rows[number])].append(record)
        if self.dry_run is not None:
            await self._recall(tx, self.dry_run, compiled, [row for row in planned if id(row) not in faults], now)
        mode = source.mode or self._mode
        for index, row in enumerate(planned):
            if index % 5 == 4:  # a row that exists is compared value by value
                await breathe()
            records = stored.get(id(row), [])
            try:
                if id(row) in faults:
                    raise faults[id(row)]
                self._decide(compiled, row, records, mode, now)
            except HubError as error:
                self._refuse(lines, row, error)

    async def _recall(
        self, tx: Connection, dry_run: DryRun, compiled: CompiledRow, planned: Sequence[PlannedRow], now: datetime
    ) -> None:
        """Finds what earlier lines of a dry run would have made of the rows."""
        tokens = {id(row): compiled.dry_run_tokens(dry_run, row, self.viewer, now) for row in planned}
        seen = await dry_run.find(tx, [token for row in planned for token in tokens[id(row)]])
        for row in planned:
            row.seen = next((seen[token] for token in tokens[id(row)] if token in seen), None)
            if row.seen is not None and row.identifiers:
                pairs = zip(row.identifiers, tokens[id(row)], strict=True)
                row.new_identifiers = [identifier for identifier, token in pairs if token not in seen]

    def _decide(
        self,
        compiled: CompiledRow,
        row: PlannedRow,
        records: Sequence[Mapping[str, Any]],
        mode: ImportMode,
        now: datetime,
    ) -> None:
        argument = compiled.match_argument
        if len(records) > 1:
            raise not_one(argument, len(records))
        row.is_virtual = not records and row.seen is not None
        if not records and row.seen is None:
            if mode is ImportMode.UPDATE:
                raise NotFound(f"{argument}: no row is found by it, and this import creates none.", argument=argument)
            row.key, row.is_new = self._stamps.of_row(row), True
            return
        if mode is ImportMode.CREATE:
            message = (
                f"{argument}: a row with it exists, and this import updates none; leave the line out, or use UPSERT."
            )
            raise BadInput(message, code="ALREADY_EXISTS", argument=argument)
        if row.seen is not None and self.dry_run is not None and not records:
            row.key = row.seen.key
            row.updates = updates_of_seen(compiled.writer, row, self.viewer, self.dry_run, now)
            return
        row.key = records[0]["id"]
        row.updates = updates_of(compiled.writer, row, records[0], self.viewer, self.dry_run)

    def _refuse(self, lines: Sequence[ImportLine], row: PlannedRow, error: HubError) -> None:
        """Refuses the lines that describe a row, or leaves the row out where the mapping says so."""
        is_left_out = row.source.skips_invalid and isinstance(error, BadInput)
        own = [line for line in lines if line.rows.get(row.source.name) is row and line.fault is None]
        if is_left_out and own:
            own[0].left_out.append(row.source.entity.__name__)
        for line in own:
            if is_left_out:
                del line.rows[row.source.name]
            else:
                line.fault = LineFault(error, row.source)

    async def _match_customers(
        self, tx: Connection, planned: Sequence[PlannedRow]
    ) -> tuple[dict[int, list[Mapping[str, Any]]], dict[int, HubError]]:
        stored: dict[int, list[Mapping[str, Any]]] = {}
        faults: dict[int, HubError] = {}
        rows = [row for row in planned if row.identifiers]
        groups, birthdays = [row.identifiers for row in rows], [row.values.get("born_on") for row in rows]
        identified = await identify_many(tx, self.viewer, groups, birthdays) if rows else []
        keys = [{"id": one.customer} for one in identified if one.customer is not None]
        records = {record["id"]: record for _, record in await match_rows(tx, self.viewer, Customer, ("id",), keys)}
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
        compiled: CompiledRow,
        planned: Sequence[PlannedRow],
        lines: Sequence[ImportLine],
        now: datetime,
        breathe: Callable[[], Any],
    ) -> None:
        """Runs the rules of new rows; links to rows that are new as well are known by then."""
        unit: UUID | None = None
        writer = compiled.writer
        new: list[PlannedRow] = []
        for index, row in enumerate(planned):
            if index % 5 == 4:
                await breathe()
            if row.key is None:
                continue
            try:
                for column, value in row.values.items():
                    if isinstance(value, PlannedRow):
                        if value.key is None:
                            raise not_visible(column)
                        row.values[column] = value.key
                        row.is_virtual |= value.is_virtual
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
                    row.prepared = await writer.draft(tx, self.viewer, values, now)
                    new.append(row)
            except HubError as error:
                self._refuse(lines, row, error)
        await self._complete_new(tx, compiled, new, lines, now, breathe)

    async def _complete_new(
        self,
        tx: Connection,
        compiled: CompiledRow,
        new: Sequence[PlannedRow],
        lines: Sequence[ImportLine],
        now: datetime,
        breathe: Callable[[], Any],
    ) -> None:
        """Fills in the columns of new rows that follow from other rows: for all at once where a rule can, else one by one."""
        writer = compiled.writer
        if writer.entity.rules.resolve_many:
            new = [row for row in new if self._has_all(compiled, row, lines)]
        prepared = [row.prepared or {} for row in new]
        for rule in writer.entity.rules.resolve_many if new else ():
            unstored = {
                link.key for line in lines for link in line.rows.values() if link.is_new and link.key is not None
            }
            for values, columns in zip(prepared, await rule(tx, prepared, unstored), strict=True):
                values.update(columns)
        for index, (row, values) in enumerate(zip(new, prepared, strict=True)):
            if index % 10 == 9:
                await breathe()
            try:
                row.prepared = await writer.complete(tx, self.viewer, values, now)
            except HubError as error:
                self._refuse(lines, row, error)

    def _has_all(self, compiled: CompiledRow, row: PlannedRow, lines: Sequence[ImportLine]) -> bool:
        """Whether a new row has what only its line can give; else the line is refused, so that it takes no number."""
        try:
            compiled.writer.require_complete(row.prepared or {}, compiled.writer.server_filled)
        except HubError as error:
            self._refuse(lines, row, error)
            return False
        return True


async def _assign(
    compiled: CompiledRow,
    drafts: Sequence[tuple[ImportLine, PlannedRow]],
    held: Collection[int],
    breathe: Callable[[], Any],
) -> tuple[list[PlannedRow], list[ImportLine]]:
    """Gives each line its row, which lines that describe it alike share. Returns the rows, and the lines that have to wait.

    `held` are those that wait already, for another row."""
    known: dict[Any, PlannedRow] = {}
    contested: set[Any] = set()  # later lines come after the one that waits, also those that agree with the first
    planned: list[PlannedRow] = []
    blocked: list[ImportLine] = []
    for index, (line, draft) in enumerate(drafts):
        if index % 50 == 49:
            await breathe()
        if line.fault is not None:
            continue
        tokens = compiled.tokens(draft, line)
        earlier = next((known[token] for token in tokens if token in known), None)
        is_equal = earlier is None or (earlier.values, earlier.identifiers) == (draft.values, draft.identifiers)
        if id(line) in held or not is_equal or not contested.isdisjoint(tokens):
            blocked += [] if id(line) in held else [line]
            contested.update(tokens)
            if earlier is not None:  # what its later rows are found by, until it has its own turn
                line.rows[compiled.source.name] = earlier
            continue
        line.rows[compiled.source.name] = earlier or draft
        if earlier is None:
            planned.append(draft)
            known |= dict.fromkeys(tokens, draft)
    return planned, blocked


def _customer_of(draft: PlannedRow) -> UUID | None:
    customer = draft.values.get("customer_id")
    if isinstance(customer, PlannedRow):
        return customer.key
    return customer if isinstance(customer, UUID) else None
