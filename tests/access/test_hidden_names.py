"""Commands that find a row by a name: the name of a hidden row is answered as that of no row, after as many statements."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import random_runs
from conftest import CreateDatabase
from matrix_viewers import bound
from oracle import edge_rows
from oracle.data import public_id
from rolled_back_writes import WritesDatabase, open_writes

from hub.rights import AccessRule, RoleVersion, Verb
from hub.viewer import Viewer

SEED = str(random_runs.seed())
NAME, CUSTOMER, ABSENT = "$name", "$customer", "zz_absent"
NO_ROW = '{"version": {"eq": 0}}'
STEP = {"code": "first", "name": "First", "addressee": "AUTO"}
PROCESS = {"name": "Process", "type": "APPROVAL", "about": "Customer", "steps": [STEP]}
POLICY = {"name": "Policy", "entity": "Task"}
TERM = {"clock": "RESOLVE", "goalSeconds": 60}
# The type of the row that is hidden, the column of its name, and the input of the mutation.
NAMED: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "calendar": (
        "calendarUpsert", "Calendar", "code", {"code": NAME, "name": "Calendar", "timezone": "UTC", "weekly": {}}
    ),
    "policy": ("slaPolicyUpsert", "SlaPolicy", "code", {"code": NAME, "terms": [TERM], **POLICY}),
    "process": ("processUpsert", "Process", "code", {"code": NAME, **PROCESS}),
    "code rule": ("codeRuleUpsert", "CodeRule", "name", {"name": NAME, "pattern": "A{serial:5}"}),
    "report": ("reportUpsert", "Report", "name", {"name": NAME, "period": "MONTH", "sections": ["News"]}),
    "process of an item": (
        "workItemOpen", "Process", "code", {"process": NAME, "subjectId": CUSTOMER, "title": "Look at it"}
    ),
    "rule of codes": ("codesDraw", "CodeRule", "name", {"rule": NAME, "count": 1}),
    "rule of a process": ("processUpsert", "CodeRule", "name", {"code": "new", "codeRule": NAME, **PROCESS}),
    "calendar of a policy": (
        "slaPolicyUpsert", "Calendar", "code", {"code": "new", "terms": [{**TERM, "calendar": NAME}], **POLICY}
    ),
    "calendar of a report": (
        "reportUpsert", "Calendar", "code", {"name": "new", "period": "MONTH", "sections": ["News"], "calendar": NAME}
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
async def writes(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[WritesDatabase]:
    dsn = await create_database("northwind")
    await edge_rows.add(dsn)
    async with open_writes(dsn) as database:
        yield database


def writer(writes: WritesDatabase, hidden: str | None) -> Viewer:
    """A person who may do everything but see the rows of a type."""
    rules = {name: AccessRule(name, verbs=frozenset(Verb)) for name in writes.oracle.graph.catalog.entities}
    if hidden is not None:
        rules[hidden] = AccessRule(hidden, verbs=frozenset(Verb), row_filter=NO_ROW)
    run = frozenset(mutation for mutation, *_ in NAMED.values())
    roles = (RoleVersion(f"hides {hidden}", 1, rules, run=run, administers=True),)  # so that it sees reports of others
    return replace(bound(writes.oracle, "nothing", roles, SEED), staff_id=writes.oracle.data.rows["Staff"][0]["id"])


@pytest.mark.parametrize("case", NAMED)
async def test_the_name_of_a_hidden_row_is_answered_as_that_of_none(writes: WritesDatabase, case: str) -> None:
    mutation, entity, column, template = NAMED[case]
    data = writes.oracle.data
    begun = {step["process_id"] for step in data.rows["ProcessStep"]}  # a process that can be opened has steps
    candidates = [row for row in data.rows[entity] if entity != "Process" or row["id"] in begun]
    row = next(row for row in candidates if row.get("status", "ACTIVE") == "ACTIVE")
    customer = public_id(data, data.rows["Customer"][0])
    input_type = f"{mutation[0].upper()}{mutation[1:]}Input!"
    document = f"mutation ($input: {input_type}) {{ {mutation}(input: $input) {{ __typename }} }}"

    async def answer(who: Viewer, name: str) -> tuple[str, int]:
        value = json.loads(json.dumps(template).replace(NAME, name).replace(CUSTOMER, customer))
        response, statements = await writes.run(who, document, input=value)
        return json.dumps(response).replace(name, "NAME"), statements

    blind = writer(writes, entity)
    await answer(blind, ABSENT)  # prepares the statements
    absent, hidden = await answer(blind, ABSENT), await answer(blind, row[column])
    assert hidden == absent
    assert "errors" in json.loads(absent[0])
    assert not writes.logged
    seeing = writer(writes, None)
    assert await answer(seeing, row[column]) != hidden
