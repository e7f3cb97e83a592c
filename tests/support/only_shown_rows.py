"""Mutations that change a row, and viewers who may do all of it but change that row: their roles only show it."""

import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from matrix_viewers import bound
from mutation_inputs import MutationInputs, entity_of
from oracle.data import DataRecord, public_id
from rolled_back_writes import RECORDS, WritesDatabase

from hub.engine.catalog.catalog import CatalogEntity
from hub.rights import AccessRule, RoleVersion, Verb
from hub.viewer import Viewer

TRIED = 200  # inputs of a mutation until one of them changes something
NO_ROW = '{"version": {"eq": 0}}'
NEEDS_ANY_PERSON = ("ReportIssue",)  # that people with a role decide
Needed = Callable[[str, DataRecord], dict[str, Any]]
# What a mutation needs beside what is drawn for it, by the id and the columns of its row.
NEEDED: dict[str, Needed] = {
    "notificationsSeen": lambda row_id, row: {"ids": [row_id], "until": None},
    "webhookUpdate": lambda row_id, row: (
        dict.fromkeys(("url", "query", "variables", "operationName")) | {"name": "hook"}
    ),
    "interactionRecord": lambda row_id, row: {
        "customerId": f"cus_{row['customer_id'].hex}",
        "orderId": None,
        "contactId": None,
    },
    "orderCreate": lambda row_id, row: {"customerId": f"cus_{row['customer_id'].hex}", "contactId": None},
    "webhookRewind": lambda row_id, row: {"since": "2026-11-29T00:00:00Z", "after": None},
    "codeRuleUpsert": lambda row_id, row: {"pattern": f"{row['name']}" + "-{serial:5}", "checkDigit": "NONE"},
}
UNFINISHED = (
    "WAITING",
    "OPEN",
    "DECLARED",
    "PENDING",
    "QUEUED",
    "SUBMITTED",
)  # states that more commands apply to than to others
OWNED_BY_KEYS = ("Webhook", "WebhookDelivery", "Job")  # rows that administrators see, too
UNLOGGED = ("webhookSecretRotate", "webhookRewind")  # change what belongs to a row and is not in the change log
# Mutations that are not drawn: administrators run them whatever the rules of their roles say; they write no row of a type
# that a rule names; rows refer to all rows that they could delete; they write nothing, repeat the fingerprint of a dry run,
# or undo what was done so; or their texts or persons are more than a draw can make.
NOT_DRAWN = frozenset({
    "apiKeyCreate", "apiKeyRevoke", "apiKeyRotate", "apiKeyUpdate", "customerErase", "customerKeyMint", "roleAssign",
    "roleRemove", "roleUnassign", "roleUpsert", "staffKeyMint", "survivorshipPolicyDelete", "survivorshipPolicyUpsert",
    "testClockAdvance", "scoreModelPreview", "segmentPreview", "customersMerge", "customerSplit", "mergeUndo",
    "codesDraw", "webhookDryRun", "identityReviewUpdate",
    "calendarDelete", "productDelete", "staffDelete",
    "exportCreate", "importCreate", "importUndo", "processUpsert", "reportUpsert", "reportDelete", "slaPolicyUpsert",
    "webhookCreate", "workStepDecide", "reportCheck", "verificationEvidenceSet",
})  # fmt: skip


@dataclass(frozen=True)
class Attempt:
    """A mutation that changes rows of a type, and a viewer whose roles only show these rows."""

    viewer: Viewer
    document: str
    value: dict[str, Any]
    changed: str  # the type


class OnlyShown:
    """Draws mutations for a viewer of everything, and finds out what they change."""

    def __init__(self, writes: WritesDatabase, seed: str) -> None:
        self.writes = writes
        self._rng = random.Random(seed)
        oracle = writes.oracle
        self._catalog = oracle.graph.catalog
        self._everything = {name: AccessRule(name, verbs=frozenset(Verb)) for name in self._catalog.entities}
        self._wide = bound(oracle, "nothing", (RoleVersion("everything", 1, self._everything),), seed)
        self.refusals: defaultdict[str, Counter[str]] = defaultdict(Counter)  # by mutation, why it changed nothing
        self._narrow: dict[tuple[str, bool], tuple[RoleVersion, ...]] = {}
        self._inputs = MutationInputs(oracle.schema, self._catalog, oracle.data, self._rng)

    def roots(self) -> list[str]:
        """The mutations of single rows that are drawn."""
        mutations = self.writes.oracle.graph.mutations
        return [root for root in self._inputs.roots() if root not in NOT_DRAWN and not mutations[root].is_bulk]

    async def attempts(self, root: str) -> AsyncIterator[Attempt]:
        """The mutation once for each type that it is about and changes rows of."""
        types, document = self._types(root), self._inputs.document(root)
        tables = {entity.table.name: name for name, entity in types.items()}
        for viewer, value in self._drawn(root):
            response, _ = await self.writes.run(viewer, document, input=value)
            self.refusals[root].update(error["message"][:150] for error in response.get("errors", ()))
            changed = {tables[record["table_name"]] for record in self.writes.logged if record["table_name"] in tables}
            if root in UNLOGGED and "errors" not in response:
                changed |= set(types)
            for name in sorted(changed):
                roles = self._showing(name, administers=viewer.administers)
                yield Attempt(replace(viewer, roles=roles), document, value, name)
            if changed:
                return

    def _types(self, root: str) -> dict[str, CatalogEntity]:
        """The types that the mutation is about: those of the row that it names, of its own name, and of what it returns.

        What the hub writes down about a change is the hub's own."""
        target = entity_of(self._catalog, root)
        returned = (field.entity for field in self.writes.oracle.graph.mutations[root].payload)
        written = (entity for entity in returned if entity is not None and entity.table.name not in RECORDS)
        named = [e for e in self._catalog.entities.values() if root.startswith(e.declaration.singular)]
        longest = max(named, key=lambda entity: len(entity.declaration.singular), default=None)
        return {entity.name: entity for entity in (target, longest, *written) if entity is not None}

    def _drawn(self, root: str) -> Iterator[tuple[Viewer, dict[str, Any]]]:
        """Inputs that name rows of the type, and whom each may belong to."""
        target = entity_of(self._catalog, root)
        data = self.writes.oracle.data
        rows = list(data.rows[target.name]) if target is not None else []
        self._rng.shuffle(rows)
        unfinished = [row for row in rows if row.get("status") in UNFINISHED]
        names = {field.name for field in self.writes.oracle.graph.mutations[root].input.fields}
        for number in range(TRIED):
            chosen = unfinished if number % 2 and unfinished else rows
            row = chosen[number // 2 % len(chosen)] if chosen else {}
            value = self._inputs.draw(root, optional=number % 4 == 3).value
            if row:
                row_id = public_id(data, row)
                value |= {"id": row_id} if "id" in names else {}
                value |= {
                    name: row[name] for name in ("code", "name") if name in names and row.get(name) and number % 2
                }
                value |= NEEDED[root](row_id, row) if root in NEEDED else {}
            for viewer in self._holders(row):
                yield viewer, value

    def _holders(self, row: DataRecord) -> Iterator[Viewer]:
        """The viewer of everything, as each person and as the key that the row names."""
        viewer = self._wide
        if row.get("$type") in OWNED_BY_KEYS:
            viewer = replace(viewer, roles=(replace(viewer.roles[0], administers=True),))
        people = [row.get(name) for name in ("staff_id", "opened_by_id", "addressee_id")]
        others = (
            [person["id"] for person in self.writes.oracle.data.rows["Staff"]]
            if row.get("$type") in NEEDS_ANY_PERSON
            else []
        )
        others = self._rng.sample(others, min(len(others), 5))
        for staff_id in dict.fromkeys((viewer.staff_id, *people, *others)):
            if staff_id is not None:
                yield replace(viewer, staff_id=staff_id)

    def _showing(self, name: str, *, administers: bool) -> tuple[RoleVersion, ...]:
        """Roles that let everything be written but the rows of a type, of which they let others be written."""
        if (name, administers) not in self._narrow:
            rules = self._everything | {name: AccessRule(name)}
            shown = RoleVersion(f"shows {name}", 1, rules, administers=administers)
            others = {name: AccessRule(name, verbs=frozenset(Verb), row_filter=NO_ROW)}
            self._narrow[name, administers] = (shown, RoleVersion(f"writes other {name}", 1, others))
        return self._narrow[name, administers]


def _needs_any_person(row: DataRecord) -> bool:
    return row.get("$type") in NEEDS_ANY_PERSON and row["status"] in UNFINISHED
