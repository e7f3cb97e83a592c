"""The rows of the model, as the graph tells them, and what is known of their edits."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

ModelRow = dict[str, Any]
PREFIXES = {
    "customers": "cus",
    "identifiers": "idn",
    "stageMoves": "stm",
    "consents": "cns",
    "products": "prd",
    "orders": "ord",
    "orderItems": "itm",
    "interactions": "int",
}
CUSTOMER_TABLES = ("identifiers", "stageMoves", "consents", "orders", "interactions")


class LearnedValue:
    """What only the hub can say, an id or a moment: learnt when it is seen first, and the same ever after."""

    def __init__(self, value: str | None = None) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"<{self.value}>"


class RowRef(NamedTuple):
    """A row that a payload tells, as it is when the payload is read."""

    table: str
    id: LearnedValue


class ModelRejection(Exception):
    """What a mutation is refused with; `rows` are those of a bulk form, with their codes."""

    def __init__(self, code: str, rows: list[tuple[int, str]] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.rows = rows
        self.root = 0


def set_field(row: ModelRow, name: str, value: Any) -> None:
    """Sets what an input names: a link if it is an id."""
    if name.endswith("Id"):
        row[name.removesuffix("Id")] = None if value is None else {"id": value}
    else:
        row[name] = value


def get_field(row: ModelRow, name: str) -> Any:
    """What stands under the name of an input."""
    if name.endswith("Id"):
        link = row[name.removesuffix("Id")]
        return None if link is None else link["id"]
    return row[name]


def same_id(one: Any, other: Any) -> bool:
    """Whether two keys are the same; those of new rows have no text yet."""
    one, other = (key.value or key if isinstance(key, LearnedValue) else key for key in (one, other))
    return bool(one == other)


class ModelState:
    """All rows by type. `now` is the moment of the request, `transaction_start` the one in which its transaction began."""

    def __init__(self, units: tuple[str, ...], staff: str) -> None:
        self.units = units
        self.staff = staff
        self.rows: dict[str, list[ModelRow]] = {table: [] for table in PREFIXES}
        self.edits: dict[LearnedValue, dict[int, frozenset[str]]] = {}
        self.now, self.transaction_start = LearnedValue(), LearnedValue()

    def copy(self) -> "ModelState":
        """The same rows, to be changed apart from these; the cells are shared."""
        clone = ModelState(self.units, self.staff)
        clone.rows = {table: [dict(row) for row in rows] for table, rows in self.rows.items()}
        clone.edits = {key: dict(edits) for key, edits in self.edits.items()}
        clone.now, clone.transaction_start = self.now, self.transaction_start
        return clone

    def adopt(self, other: "ModelState") -> None:
        """Takes over what is in a copy."""
        self.rows, self.edits = other.rows, other.edits

    def find(self, table: str, key: Any) -> ModelRow | None:
        return next((row for row in self.rows[table] if same_id(row["id"], key)), None)

    def require(self, table: str, key: Any) -> ModelRow:
        row = self.find(table, key)
        if row is None:
            raise ModelRejection("NOT_FOUND")
        return row

    def linked(self, table: str, link: str, key: Any) -> Iterator[ModelRow]:
        """The rows whose link leads to a row."""
        for row in self.rows[table]:
            if row[link] and same_id(row[link]["id"], key):
                yield row

    def require_unique(self, table: str, except_row: ModelRow | None = None, **values: Any) -> None:
        """Refuses what another row has already."""
        if any(row is not except_row and all(row[k] == v for k, v in values.items()) for row in self.rows[table]):
            raise ModelRejection("ALREADY_EXISTS")

    def add(self, table: str, values: ModelRow) -> ModelRow:
        row: ModelRow = {"id": LearnedValue(), "version": 1, "createdAt": self.now, "updatedAt": self.now}
        for name, value in values.items():
            set_field(row, name, value)
        self.rows[table].append(row)
        self.edits[row["id"]] = {}
        return row

    def update(self, row: ModelRow, values: ModelRow) -> None:
        """Changes what is given; an edit that changes nothing is none."""
        changed_fields = frozenset(name for name, value in values.items() if get_field(row, name) != value)
        if changed_fields:
            self.record_edit(row, values, changed_fields, self.now)

    def record_edit(
        self, row: ModelRow, values: ModelRow, changed_fields: frozenset[str], edited_at: LearnedValue
    ) -> None:
        """Counts an edit and remembers what it changed."""
        for name, value in values.items():
            set_field(row, name, value)
        row["version"] += 1
        row["updatedAt"] = edited_at
        self.edits[row["id"]][row["version"]] = changed_fields

    def require_version(self, row: ModelRow, names: Iterable[str], version: int) -> None:
        """Refuses an edit of what was changed after a version; after one that never was, anything may have been."""
        if version == row["version"]:
            return
        later = [changed for number, changed in self.edits[row["id"]].items() if number > version]
        edited = frozenset[str]().union(*later) if 1 <= version < row["version"] else frozenset(names)
        if edited & frozenset(names):
            raise ModelRejection("VERSION_CONFLICT")

    def remove(self, table: str, row: ModelRow) -> None:
        """Takes a row out, with what is part of it."""
        self.rows[table].remove(row)
        parts = CUSTOMER_TABLES if table == "customers" else ("orderItems",) if table == "orders" else ()
        for part in parts:
            link = "order" if part == "orderItems" else "customer"
            for child in list(self.linked(part, link, row["id"])):
                self.remove(part, child)

    def payload_row(self, ref: RowRef) -> ModelRow:
        """A row as a payload tells it: with its parts."""
        row = dict(next(row for row in self.rows[ref.table] if row["id"] is ref.id))
        for table, name, link in (("customers", "identifiers", "customer"), ("orders", "items", "order")):
            if ref.table == table:
                parts = self.linked("orderItems" if name == "items" else name, link, ref.id)
                row[name] = {"nodes": [dict(part) for part in parts]}
        return row


def check_id(table: str, text: str) -> str:
    """An id of the right kind; it may name nothing."""
    prefix, _, rest = text.partition("_")
    if len(prefix) != 3 or len(rest) != 32:
        raise ModelRejection("ID_MALFORMED")
    if prefix != (PREFIXES | {"orgUnits": "unt", "staff": "stf"})[table]:
        raise ModelRejection("ID_WRONG_TYPE")
    return text
