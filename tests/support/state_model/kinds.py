"""The writes that all kinds of rows have in common, by a plain reading of what their declarations promise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from state_model.world import ModelRejection, ModelRow, ModelState, RowRef, check_id

ValidateValue = Callable[[Any], Any]
ModelPayload = dict[str, Any]
ModelCommand = Callable[[ModelState, ModelRow], ModelPayload]

COUNTRIES, CURRENCIES, LANGUAGES = ("DE", "FR", "IT"), ("EUR", "USD"), ("de", "fr")


def single_line(value: str) -> str:
    plain = value.strip()
    if not plain or "\n" in plain or "\0" in plain or len(plain) > 200:
        raise ModelRejection("VALUE_INVALID")
    return plain


def reject_nul(arguments: ModelRow) -> None:
    """A text that no database can hold is seen as soon as it is read, in the input's order, before anything is looked up."""
    if any(isinstance(value, str) and "\0" in value for value in arguments.values()):
        raise ModelRejection("VALUE_INVALID")


def check_ids(arguments: ModelRow, links: Mapping[str, str]) -> None:
    """Reads the ids that are given."""
    for name, table in links.items():
        if arguments.get(name) is not None:
            check_id(table, arguments[name])


def one_of(values: Sequence[str], *, uppercase: bool = True) -> ValidateValue:
    def check(value: str) -> str:
        plain = value.strip().upper() if uppercase else value.strip().lower()
        if plain not in values:
            raise ModelRejection("VALUE_INVALID")
        return plain

    return check


def json_object(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ModelRejection("VALUE_INVALID")
    return value


def amount(value: str) -> Decimal:
    parsed = Decimal(value)
    if abs(parsed) >= 10**14 or parsed != round(parsed, 4):
        raise ModelRejection("VALUE_INVALID")
    return parsed.quantize(Decimal("0.0001"))


def non_negative_amount(value: str) -> Decimal:
    if Decimal(value) < 0:
        raise ModelRejection("VALUE_INVALID")
    return amount(value)


def dotted_name(value: str) -> str:
    if value != value.lower() or " " in value or not value:
        raise ModelRejection("VALUE_INVALID")
    return value


country, currency, language = one_of(COUNTRIES), one_of(CURRENCIES), one_of(LANGUAGES, uppercase=False)


def validated(values: ModelRow, validators: Mapping[str, ValidateValue]) -> ModelRow:
    return {name: validators[name](v) if v is not None and name in validators else v for name, v in values.items()}


def merged_by_key(stored: ModelRow, change: ModelRow) -> ModelRow:
    """An object with the members of another one; null removes a member."""
    return {name: member for name, member in {**stored, **change}.items() if member is not None}


def no_hook(state: ModelState, row: ModelRow) -> None:
    """What rows of most kinds need done after a write, or before they are deleted."""


@dataclass(frozen=True)
class EntityModel:
    """What may be given for rows of a type, which of it is never null, and what is unlike other kinds."""

    table: str
    payload_field: str
    updatable: tuple[str, ...]
    non_null: tuple[str, ...]
    validators: Mapping[str, ValidateValue]
    links: Mapping[str, str] = field(default_factory=dict)
    unique_fields: tuple[str, ...] = ()
    after_write: Callable[[ModelState, ModelRow], None] = no_hook
    before_delete: Callable[[ModelState, ModelRow], None] = no_hook
    check_row: Callable[[ModelState, ModelRow], None] = no_hook

    def apply_update(self, state: ModelState, key: Any, arguments: ModelRow) -> ModelPayload:
        """The row with what is given; nulls are looked at first, then links, the version, and the row as it would be."""
        values = {name: arguments[name] for name in self.updatable if name in arguments}
        if any(values[name] is None for name in values if name in self.non_null):
            raise ModelRejection("VALUE_INVALID")
        if "attributes" in values:  # they are merged with what is stored
            state.require(self.table, key)
        values = validated(values, self.validators)
        for name, table in self.links.items():
            if values.get(name) is not None:
                require_existing(state, table, values[name])
        row = state.require(self.table, key)
        if arguments.get("expectedVersion") is not None:
            state.require_version(row, values, arguments["expectedVersion"])
        if "attributes" in values:
            values["attributes"] = merged_by_key(row["attributes"], values["attributes"])
        self.check_row(state, {**row, **values})
        for name in self.unique_fields:
            if name in values:
                self._check_unique(state, row, {**row, **values}, name)
        state.update(row, values)
        self.after_write(state, row)
        return {self.payload_field: RowRef(self.table, row["id"])}

    def _check_unique(self, state: ModelState, row: ModelRow, new: ModelRow, name: str) -> None:
        within = {"order": row["order"]} if "order" in row else {}
        state.require_unique(self.table, row, **within, **{name: new[name]})

    def update(self, state: ModelState, arguments: ModelRow) -> ModelPayload:
        key = check_id(self.table, arguments["id"])
        reject_nul(arguments)
        check_ids(arguments, self.links)
        return self.apply_update(state, key, arguments)

    def delete(self, state: ModelState, arguments: ModelRow) -> ModelPayload:
        row = state.require(self.table, check_id(self.table, arguments["id"]))
        if arguments.get("expectedVersion") not in (None, row["version"]):
            raise ModelRejection("VERSION_CONFLICT")
        self.before_delete(state, row)
        state.remove(self.table, row)
        self.after_write(state, row)
        return {"deletedId": row["id"].value}


def require_existing(state: ModelState, table: str, key: str) -> None:
    """Refuses the id of nothing."""
    fixed_ids = {"orgUnits": state.units, "staff": (state.staff,)}
    if not (key in fixed_ids[table] if table in fixed_ids else state.find(table, key)):
        raise ModelRejection("NOT_FOUND")


def reject_expected_version(arguments: ModelRow) -> None:
    """Refuses to make a row in place of one that an edit is based on."""
    if arguments.get("expectedVersion") is not None:
        raise ModelRejection("NOT_FOUND")


def single_key(by: ModelRow) -> tuple[str, Any]:
    """The one thing that an upsert finds its row by."""
    keys = [(name, value) for name, value in by.items() if value is not None]
    if len(keys) != 1:
        raise ModelRejection("UPSERT_AMBIGUOUS")
    return keys[0]
