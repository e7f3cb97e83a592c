"""Operations as documents, the whole graph by its pages, and whether what is found is what the model says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from writer_client import Writer

from state_model import customers, trade
from state_model.kinds import Outcome
from state_model.world import PREFIXES, Cell, Ref, Refused, Row, World

VERBS = customers.VERBS | trade.VERBS
PLURALS = {"customer": "customers", "identifier": "identifiers", "consent": "consents", "product": "products"}
PLURALS |= {"orderItem": "orderItems", "order": "orders", "interaction": "interactions"}
COMMON = "id version createdAt updatedAt"
FIELDS = {
    "customers": "kind name status stage tier country language currency attributes unit { id } owner { id }",
    "identifiers": "kind value normalized verified source customer { id }",
    "stageMoves": "fromStage toStage reason movedAt customer { id }",
    "consents": "purpose channel status evidence source givenAt expiresAt supersededAt current customer { id }",
    "products": "sku name category packaging unitPrice currency discontinued",
    "orders": "number status placedAt requiredAt shippedAt currency net freight total shipTo shipCity shipCountry"
    " customer { id } staff { id }",
    "orderItems": "line quantity unitPrice discount currency net order { id } product { id }",
    "interactions": "channel direction kind subject body occurredAt customer { id } staff { id } order { id }",
}
PARTS = {"customer": "identifiers", "order": "items"}
PAGE = 10
PAGES = "\n".join(
    f"{table}(first: {PAGE}, after: ${table}) @include(if: $with_{table})"
    f" {{ totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {COMMON} {fields} }} }}"
    for table, fields in FIELDS.items()
)
DECLARED = ", ".join(f"${table}: Cursor, $with_{table}: Boolean!" for table in FIELDS)
EVERYTHING = f"query ({DECLARED}) {{ {PAGES} }}"


@dataclass(frozen=True)
class Root:
    """A root of a mutation: a verb with its input, or with `policy` the rows of its bulk form."""

    verb: str
    input: Any
    policy: str | None = None

    @property
    def name(self) -> str:
        """The field's name, which begins with a plural in the bulk form."""
        one = max((each for each in PLURALS if self.verb.startswith(each)), key=len)
        return self.verb if self.policy is None else PLURALS[one] + self.verb.removeprefix(one)

    @property
    def type(self) -> str:
        return f"{self.name[0].upper()}{self.name[1:]}Input"

    @property
    def given(self) -> Any:
        return self.input if self.policy is None else {"rows": self.input, "errorPolicy": self.policy}

    @property
    def turns(self) -> list[int]:
        """The rows in the order in which they are done: by the id that they are done to, those of one as they stand."""
        by = "customerId" if self.verb in ("interactionRecord", "consentSet") else "id"
        new = self.verb.endswith(("Create", "Upsert"))
        return sorted(range(len(self.input)), key=lambda at: "" if new else str(self.input[at].get(by) or ""))

    @property
    def selection(self) -> str:
        inner = " ".join(_selected(name) for name in self.gives)
        return inner if self.policy is None else f"results {{ {inner} error {{ code }} }} succeeded failed"

    @property
    def gives(self) -> tuple[str, ...]:
        if self.verb.endswith("Delete"):
            return ("deletedId",)
        if self.verb == "customerStageMove":
            return ("customer", "move")
        one = max((each for each in PLURALS if self.verb.startswith(each)), key=len)
        return (one, "created") if self.verb.endswith("Upsert") else (one,)


def _selected(name: str) -> str:
    if name in ("deletedId", "created"):
        return name
    table = {"move": "stageMoves"}.get(name) or PLURALS[name]
    parts = ""
    if name in PARTS:
        fields = FIELDS["orderItems" if name == "order" else "identifiers"]
        parts = f"{PARTS[name]}(first: 10) {{ nodes {{ {COMMON} {fields} }} }}"
    return f"{name} {{ {COMMON} {FIELDS[table]} {parts} }}"


def operation(roots: Sequence[Root], key: str | None) -> tuple[str, dict[str, Any]]:
    """The document of some roots, named r0, r1 and so on, and its variables."""
    declared = "".join(f", $i{n}: {root.type}!" for n, root in enumerate(roots))
    fields = " ".join(
        f"r{n}: {root.name}(input: $i{n}, idempotencyKey: $key) {{ {root.selection} }}" for n, root in enumerate(roots)
    )
    variables = {f"i{n}": root.given for n, root in enumerate(roots)}
    return f"mutation ($key: String{declared}) {{ {fields} }}", {"key": key, **variables}


def expected(world: World, roots: Sequence[Root]) -> dict[str, Any]:
    """What the data of an operation must be, done on the world; raises Refused, and the world is to be thrown away."""
    data = {}
    world.at, world.began = Cell(), Cell()
    for number, root in enumerate(roots):
        try:
            data[f"r{number}"] = _done(world, root)
        except Refused as refused:
            refused.root = number
            raise
    return data


def _done(world: World, root: Root) -> dict[str, Any]:
    if root.policy is None:
        return _told(world, root, VERBS[root.verb](world, root.input))
    results: list[Outcome | str] = [""] * len(root.input)
    for at in root.turns:
        tried = world.copy()
        try:
            results[at] = VERBS[root.verb](tried, root.input[at])
            world.become(tried)
        except Refused as refused:
            results[at] = refused.code
    failed = [(number, code) for number, code in enumerate(results) if isinstance(code, str)]
    if failed and root.policy == "REJECT_ALL":
        raise Refused("BULK_REJECTED", failed)
    none = dict.fromkeys(root.gives)
    told = [
        none | {"error": {"code": each}} if isinstance(each, str) else _told(world, root, each) | {"error": None}
        for each in results
    ]
    return {"results": told, "succeeded": len(results) - len(failed), "failed": len(failed)}


def _told(world: World, root: Root, outcome: Outcome) -> dict[str, Any]:
    return {name: world.told(v) if isinstance(v := outcome[name], Ref) else v for name in root.gives}


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where two values differ. A cell that is not known yet takes what is found."""
    if isinstance(expected, Cell):
        if expected.value is None and isinstance(found, str):
            expected.value = found
        expected = expected.value
    if isinstance(expected, dict) and isinstance(found, dict):
        if expected.keys() != found.keys():
            return [f"{path}: {sorted(expected)} is {sorted(found)}"]
        return [each for name in expected for each in differences(expected[name], found[name], f"{path}.{name}")]
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return [f"{path}: {len(expected)} are {len(found)}"]
        if path.endswith(".nodes"):
            expected, found = sorted(expected, key=_place), sorted(found, key=_place)
        pairs = enumerate(zip(expected, found, strict=True))
        return [each for n, (one, other) in pairs for each in differences(one, other, f"{path}[{n}]")]
    wanted = str(expected) if isinstance(expected, Decimal) else expected
    return [] if type(wanted) is type(found) and wanted == found else [f"{path}: {wanted!r} is {found!r}"]


def _place(row: Row) -> Any:
    """Where a part stands among its like."""
    return (row.get("line", 0), row.get("kind", ""), row.get("normalized", ""), row.get("source", ""))


async def read(writer: Writer) -> dict[str, dict[str, Row]]:
    """The whole graph: rows by type and id."""
    found: dict[str, dict[str, Row]] = {table: {} for table in PREFIXES}
    totals: dict[str, int] = {}
    cursors: Mapping[str, str | None] = dict.fromkeys(PREFIXES)
    while cursors:
        chosen = {f"with_{table}": table in cursors for table in PREFIXES}
        data = await writer.do(EVERYTHING, {**cursors, **chosen})
        for table in cursors:
            found[table] |= {row["id"]: row for row in data[table]["nodes"]}
            totals[table] = data[table]["totalCount"]
        more = {table: data[table]["pageInfo"] for table in cursors}
        cursors = {table: info["endCursor"] for table, info in more.items() if info["hasNextPage"]}
    assert totals == {table: len(rows) for table, rows in found.items()}
    return found


def astray(world: World, found: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Where the graph is not what the model says."""
    wrong = []
    for table, rows in world.rows.items():
        wanted = {row["id"].value: row for row in rows}
        wrong += differences(wanted, dict(found[table]), table)
    return wrong
