"""The writes that all kinds of rows have in common, by a plain reading of what their declarations promise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from state_model.world import Ref, Refused, Row, World, key_of

Check = Callable[[Any], Any]
Outcome = dict[str, Any]
Verb = Callable[[World, Row], Outcome]

COUNTRIES, CURRENCIES, LANGUAGES = ("DE", "FR", "IT"), ("EUR", "USD"), ("de", "fr")


def line(value: str) -> str:
    plain = value.strip()
    if not plain or "\n" in plain or "\0" in plain or len(plain) > 200:
        raise Refused("VALUE_INVALID")
    return plain


def storable(given: Row) -> None:
    """A text that no database can hold is seen as soon as it is read, in the input's order, before anything is looked up."""
    if any(isinstance(each, str) and "\0" in each for each in given.values()):
        raise Refused("VALUE_INVALID")


def ids(given: Row, links: Mapping[str, str]) -> None:
    """Reads the ids that are given."""
    for name, table in links.items():
        if given.get(name) is not None:
            key_of(table, given[name])


def among(values: Sequence[str], *, capitals: bool = True) -> Check:
    def check(value: str) -> str:
        plain = value.strip().upper() if capitals else value.strip().lower()
        if plain not in values:
            raise Refused("VALUE_INVALID")
        return plain

    return check


def facts(value: Any) -> Any:
    if not isinstance(value, dict):
        raise Refused("VALUE_INVALID")
    return value


def amount(value: str) -> Decimal:
    found = Decimal(value)
    if not 0 <= found < 10**14 or found != round(found, 4):
        raise Refused("VALUE_INVALID")
    return found.quantize(Decimal("0.0001"))


def words(value: str) -> str:
    if value != value.lower() or " " in value or not value:
        raise Refused("VALUE_INVALID")
    return value


country, currency, language = among(COUNTRIES), among(CURRENCIES), among(LANGUAGES, capitals=False)


def checked(values: Row, checks: Mapping[str, Check]) -> Row:
    return {name: checks[name](v) if v is not None and name in checks else v for name, v in values.items()}


def nothing(world: World, row: Row) -> None:
    """What rows of most kinds need done after a write, or before they are deleted."""


@dataclass(frozen=True)
class Kind:
    """What may be given for rows of a type, which of it is never null, and what is unlike other kinds."""

    table: str
    gives: str
    updates: tuple[str, ...]
    solid: tuple[str, ...]
    checks: Mapping[str, Check]
    links: Mapping[str, str] = field(default_factory=dict)
    unique: tuple[str, ...] = ()
    settle: Callable[[World, Row], None] = nothing
    leaving: Callable[[World, Row], None] = nothing

    def changed(self, world: World, key: Any, given: Row) -> Outcome:
        """The row with what is given; links are looked at first, then the version, then each value."""
        values = checked({name: given[name] for name in self.updates if name in given}, self.checks)
        for name, table in self.links.items():
            if values.get(name) is not None:
                seen(world, table, values[name])
        row = world.need(self.table, key)
        if given.get("expectedVersion") is not None:
            world.require_version(row, values, given["expectedVersion"])
        if any(values[name] is None for name in values if name in self.solid):
            raise Refused("VALUE_INVALID")
        for name in self.unique:
            if name in values:
                self._unique(world, row, {**row, **values}, name)
        world.change(row, values)
        self.settle(world, row)
        return {self.gives: Ref(self.table, row["id"])}

    def _unique(self, world: World, row: Row, new: Row, name: str) -> None:
        within = {"order": row["order"]} if "order" in row else {}
        world.unique(self.table, row, **within, **{name: new[name]})

    def update(self, world: World, given: Row) -> Outcome:
        key = key_of(self.table, given["id"])
        storable(given)
        ids(given, self.links)
        return self.changed(world, key, given)

    def delete(self, world: World, given: Row) -> Outcome:
        row = world.need(self.table, key_of(self.table, given["id"]))
        if given.get("expectedVersion") not in (None, row["version"]):
            raise Refused("VERSION_CONFLICT")
        self.leaving(world, row)
        world.remove(self.table, row)
        self.settle(world, row)
        return {"deletedId": row["id"].value}


def seen(world: World, table: str, key: str) -> None:
    """Refuses the id of nothing."""
    known = {"orgUnits": world.units, "staff": (world.staff,)}
    if not (key in known[table] if table in known else world.find(table, key)):
        raise Refused("NOT_FOUND")


def unversioned(given: Row) -> None:
    """Refuses to make a row in place of one that an edit is based on."""
    if given.get("expectedVersion") is not None:
        raise Refused("NOT_FOUND")


def one_way(by: Row) -> tuple[str, Any]:
    """The one thing that an upsert finds its row by."""
    given = [(name, value) for name, value in by.items() if value is not None]
    if len(given) != 1:
        raise Refused("UPSERT_AMBIGUOUS")
    return given[0]
