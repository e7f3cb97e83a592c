"""Operations as documents, the whole graph by its pages, and whether what is found is what the model says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from writer_client import HubClient

from state_model import customers, trade
from state_model.kinds import ModelPayload
from state_model.world import PREFIXES, LearnedValue, ModelRejection, ModelRow, ModelState, RowRef

COMMANDS = customers.COMMANDS | trade.COMMANDS
PLURALS = {"customer": "customers", "identifier": "identifiers", "consent": "consents", "product": "products"}
PLURALS |= {"orderItem": "orderItems", "order": "orders", "interaction": "interactions"}
COMMON = "id version createdAt updatedAt"
FIELDS = {
    "customers": "kind name status stage tier country language currency attributes unit { id } owner { id }",
    "identifiers": "kind value normalized verified source customer { id }",
    "stageMoves": "fromStage toStage reason movedAt customer { id }",
    "consents": "purpose channel status evidence source givenAt expiresAt supersededAt current customer { id }",
    "products": "sku name category packaging unitPrice currency discontinued",
    "orders": "number status reason placedAt requiredAt shippedAt currency net freight total shipTo shipCity shipCountry"
    " customer { id } staff { id }",
    "orderItems": "line reason quantity unitPrice discount currency net order { id } product { id }",
    "interactions": "channel direction kind subject body occurredAt customer { id } staff { id } order { id }",
}
PARTS = {"customer": "identifiers", "order": "items"}
PAGE = 10
PAGES = "\n".join(
    f"{table}(first: {PAGE}, after: ${table}) @include(if: $with_{table})"
    f" {{ totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {COMMON} {fields} }} }}"
    for table, fields in FIELDS.items()
)
VARIABLE_DECLARATIONS = ", ".join(f"${table}: Cursor, $with_{table}: Boolean!" for table in FIELDS)
READ_ALL_QUERY = f"query ({VARIABLE_DECLARATIONS}) {{ {PAGES} }}"


@dataclass(frozen=True)
class MutationRoot:
    """A root of a mutation: a verb with its input, or with `policy` the rows of its bulk form."""

    command: str
    input: Any
    policy: str | None = None

    @property
    def name(self) -> str:
        """The field's name, which begins with a plural in the bulk form."""
        longest = max((singular for singular in PLURALS if self.command.startswith(singular)), key=len)
        return self.command if self.policy is None else PLURALS[longest] + self.command.removeprefix(longest)

    @property
    def type(self) -> str:
        return f"{self.name[0].upper()}{self.name[1:]}Input"

    @property
    def input_variable(self) -> Any:
        return self.input if self.policy is None else {"rows": self.input, "errorPolicy": self.policy}

    @property
    def execution_order(self) -> list[int]:
        """The rows in the order in which they are done: by the id that they are done to, those of one as they stand."""
        by = "customerId" if self.command in ("interactionRecord", "consentSet") else "id"
        new = self.command.endswith(("Create", "Upsert"))
        return sorted(range(len(self.input)), key=lambda index: "" if new else str(self.input[index].get(by) or ""))

    @property
    def selection(self) -> str:
        inner = " ".join(_field_selection(name) for name in self.payload_fields)
        return inner if self.policy is None else f"results {{ {inner} error {{ code }} }} succeeded failed"

    @property
    def payload_fields(self) -> tuple[str, ...]:
        if self.command.endswith("Delete"):
            return ("deletedId",)
        if self.command == "customerStageMove":
            return ("customer", "move")
        longest = max((singular for singular in PLURALS if self.command.startswith(singular)), key=len)
        return (longest, "created") if self.command.endswith("Upsert") else (longest,)


def _field_selection(name: str) -> str:
    if name in ("deletedId", "created"):
        return name
    table = {"move": "stageMoves"}.get(name) or PLURALS[name]
    parts = ""
    if name in PARTS:
        fields = FIELDS["orderItems" if name == "order" else "identifiers"]
        parts = f"{PARTS[name]}(first: 10) {{ nodes {{ {COMMON} {fields} }} }}"
    return f"{name} {{ {COMMON} {FIELDS[table]} {parts} }}"


def build_operation(roots: Sequence[MutationRoot], key: str | None) -> tuple[str, dict[str, Any]]:
    """The document of some roots, named r0, r1 and so on, and its variables."""
    declared = "".join(f", $i{n}: {root.type}!" for n, root in enumerate(roots))
    fields = " ".join(
        f"r{n}: {root.name}(input: $i{n}, idempotencyKey: $key) {{ {root.selection} }}" for n, root in enumerate(roots)
    )
    variables = {f"i{n}": root.input_variable for n, root in enumerate(roots)}
    return f"mutation ($key: String{declared}) {{ {fields} }}", {"key": key, **variables}


def expected_data(state: ModelState, roots: Sequence[MutationRoot]) -> dict[str, Any]:
    """What the data of an operation must be, done on the world; raises Refused, and the world is to be thrown away."""
    data = {}
    state.now, state.transaction_start = LearnedValue(), LearnedValue()
    for number, root in enumerate(roots):
        try:
            data[f"r{number}"] = _run_root(state, root)
        except ModelRejection as rejection:
            rejection.root = number
            raise
    return data


def _run_root(state: ModelState, root: MutationRoot) -> dict[str, Any]:
    if root.policy is None:
        return _payload(state, root, COMMANDS[root.command](state, root.input))
    results: list[ModelPayload | str] = [""] * len(root.input)
    for index in root.execution_order:
        trial = state.copy()
        try:
            results[index] = COMMANDS[root.command](trial, root.input[index])
            state.adopt(trial)
        except ModelRejection as rejection:
            results[index] = rejection.code
    failed = [(number, code) for number, code in enumerate(results) if isinstance(code, str)]
    if failed and root.policy == "REJECT_ALL":
        raise ModelRejection("BULK_REJECTED", failed)
    none = dict.fromkeys(root.payload_fields)
    payloads = [
        none | {"error": {"code": result}}
        if isinstance(result, str)
        else _payload(state, root, result) | {"error": None}
        for result in results
    ]
    return {"results": payloads, "succeeded": len(results) - len(failed), "failed": len(failed)}


def _payload(state: ModelState, root: MutationRoot, outcome: ModelPayload) -> dict[str, Any]:
    return {name: state.payload_row(v) if isinstance(v := outcome[name], RowRef) else v for name in root.payload_fields}


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Where two values differ. A cell that is not known yet takes what is found."""
    if isinstance(expected, LearnedValue):
        if expected.value is None and isinstance(actual, str):
            expected.value = actual
        expected = expected.value
    if isinstance(expected, dict) and isinstance(actual, dict):
        if expected.keys() != actual.keys():
            return [f"{path}: {sorted(expected)} is {sorted(actual)}"]
        return [
            difference
            for name in expected
            for difference in differences(expected[name], actual[name], f"{path}.{name}")
        ]
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return [f"{path}: {len(expected)} are {len(actual)}"]
        if path.endswith(".nodes"):
            expected, actual = sorted(expected, key=_nested_row_order), sorted(actual, key=_nested_row_order)
        pairs = enumerate(zip(expected, actual, strict=True))
        return [difference for n, (one, other) in pairs for difference in differences(one, other, f"{path}[{n}]")]
    expected_value = str(expected) if isinstance(expected, Decimal) else expected
    return (
        []
        if type(expected_value) is type(actual) and expected_value == actual
        else [f"{path}: {expected_value!r} is {actual!r}"]
    )


def _nested_row_order(row: ModelRow) -> Any:
    """Where a part stands among its like."""
    return (row.get("line", 0), row.get("kind", ""), row.get("normalized", ""), row.get("source", ""))


async def read_graph(client: HubClient) -> dict[str, dict[str, ModelRow]]:
    """The whole graph: rows by type and id."""
    rows_by_table: dict[str, dict[str, ModelRow]] = {table: {} for table in PREFIXES}
    totals: dict[str, int] = {}
    cursors: Mapping[str, str | None] = dict.fromkeys(PREFIXES)
    while cursors:
        included = {f"with_{table}": table in cursors for table in PREFIXES}
        data = await client.query(READ_ALL_QUERY, {**cursors, **included})
        for table in cursors:
            rows_by_table[table] |= {row["id"]: row for row in data[table]["nodes"]}
            totals[table] = data[table]["totalCount"]
        page_infos = {table: data[table]["pageInfo"] for table in cursors}
        cursors = {table: info["endCursor"] for table, info in page_infos.items() if info["hasNextPage"]}
    assert totals == {table: len(rows) for table, rows in rows_by_table.items()}
    return rows_by_table


def model_differences(state: ModelState, actual: Mapping[str, Mapping[str, ModelRow]]) -> list[str]:
    """Where the graph is not what the model says."""
    mismatches = []
    for table, rows in state.rows.items():
        expected_rows = {row["id"].value: row for row in rows}
        mismatches += differences(expected_rows, dict(actual[table]), table)
    return mismatches
