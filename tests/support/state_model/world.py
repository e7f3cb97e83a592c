"""The rows of the model, as the graph tells them, and what is known of their edits."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

Row = dict[str, Any]
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
OF_A_CUSTOMER = ("identifiers", "stageMoves", "consents", "orders", "interactions")


class Cell:
    """What only the hub can say, an id or a moment: learnt when it is seen first, and the same ever after."""

    def __init__(self, value: str | None = None) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"<{self.value}>"


class Ref(NamedTuple):
    """A row that a payload tells, as it is when the payload is read."""

    table: str
    id: Cell


class Refused(Exception):
    """What a mutation is refused with; `rows` are those of a bulk form, with their codes."""

    def __init__(self, code: str, rows: list[tuple[int, str]] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.rows = rows
        self.root = 0


def put(row: Row, name: str, value: Any) -> None:
    """Sets what an input names: a link if it is an id."""
    if name.endswith("Id"):
        row[name.removesuffix("Id")] = None if value is None else {"id": value}
    else:
        row[name] = value


def got(row: Row, name: str) -> Any:
    """What stands under the name of an input."""
    if name.endswith("Id"):
        link = row[name.removesuffix("Id")]
        return None if link is None else link["id"]
    return row[name]


def same(one: Any, other: Any) -> bool:
    """Whether two keys are the same; those of new rows have no text yet."""
    one, other = (each.value or each if isinstance(each, Cell) else each for each in (one, other))
    return bool(one == other)


class World:
    """All rows by type. `at` is the moment of the request, `began` the one in which its transaction began."""

    def __init__(self, units: tuple[str, ...], staff: str) -> None:
        self.units = units
        self.staff = staff
        self.rows: dict[str, list[Row]] = {table: [] for table in PREFIXES}
        self.edits: dict[Cell, dict[int, frozenset[str]]] = {}
        self.at, self.began = Cell(), Cell()

    def copy(self) -> "World":
        """The same rows, to be changed apart from these; the cells are shared."""
        made = World(self.units, self.staff)
        made.rows = {table: [dict(row) for row in rows] for table, rows in self.rows.items()}
        made.edits = {key: dict(edits) for key, edits in self.edits.items()}
        made.at, made.began = self.at, self.began
        return made

    def become(self, other: "World") -> None:
        """Takes over what is in a copy."""
        self.rows, self.edits = other.rows, other.edits

    def find(self, table: str, key: Any) -> Row | None:
        return next((row for row in self.rows[table] if same(row["id"], key)), None)

    def need(self, table: str, key: Any) -> Row:
        row = self.find(table, key)
        if row is None:
            raise Refused("NOT_FOUND")
        return row

    def of(self, table: str, link: str, key: Any) -> Iterator[Row]:
        """The rows whose link leads to a row."""
        for row in self.rows[table]:
            if row[link] and same(row[link]["id"], key):
                yield row

    def unique(self, table: str, but: Row | None = None, **values: Any) -> None:
        """Refuses what another row has already."""
        if any(row is not but and all(row[k] == v for k, v in values.items()) for row in self.rows[table]):
            raise Refused("ALREADY_EXISTS")

    def add(self, table: str, values: Row) -> Row:
        row: Row = {"id": Cell(), "version": 1, "createdAt": self.at, "updatedAt": self.at}
        for name, value in values.items():
            put(row, name, value)
        self.rows[table].append(row)
        self.edits[row["id"]] = {}
        return row

    def change(self, row: Row, values: Row) -> None:
        """Changes what is given; an edit that changes nothing is none."""
        changed = frozenset(name for name, value in values.items() if got(row, name) != value)
        if changed:
            self.edit(row, values, changed, self.at)

    def edit(self, row: Row, values: Row, changed: frozenset[str], at: Cell) -> None:
        """Counts an edit and remembers what it changed."""
        for name, value in values.items():
            put(row, name, value)
        row["version"] += 1
        row["updatedAt"] = at
        self.edits[row["id"]][row["version"]] = changed

    def require_version(self, row: Row, names: Iterable[str], version: int) -> None:
        """Refuses an edit of what was changed after a version; after one that never was, anything may have been."""
        if version == row["version"]:
            return
        later = [changed for number, changed in self.edits[row["id"]].items() if number > version]
        edited = frozenset[str]().union(*later) if 1 <= version < row["version"] else frozenset(names)
        if edited & frozenset(names):
            raise Refused("VERSION_CONFLICT")

    def remove(self, table: str, row: Row) -> None:
        """Takes a row out, with what is part of it."""
        self.rows[table].remove(row)
        parts = OF_A_CUSTOMER if table == "customers" else ("orderItems",) if table == "orders" else ()
        for part in parts:
            link = "order" if part == "orderItems" else "customer"
            for each in list(self.of(part, link, row["id"])):
                self.remove(part, each)

    def told(self, ref: Ref) -> Row:
        """A row as a payload tells it: with its parts."""
        row = dict(next(row for row in self.rows[ref.table] if row["id"] is ref.id))
        for table, name, link in (("customers", "identifiers", "customer"), ("orders", "items", "order")):
            if ref.table == table:
                parts = self.of("orderItems" if name == "items" else name, link, ref.id)
                row[name] = {"nodes": [dict(part) for part in parts]}
        return row


def key_of(table: str, text: str) -> str:
    """An id of the right kind; it may name nothing."""
    prefix, _, rest = text.partition("_")
    if len(prefix) != 3 or len(rest) != 32:
        raise Refused("ID_MALFORMED")
    if prefix != (PREFIXES | {"orgUnits": "unt", "staff": "stf"})[table]:
        raise Refused("ID_WRONG_TYPE")
    return text
