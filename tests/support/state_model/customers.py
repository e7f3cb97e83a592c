"""Customers, what they are known by, and what happens to them, in the model."""

from typing import Any

from state_model import kinds
from state_model.kinds import EntityModel, ModelCommand, ModelPayload
from state_model.world import LearnedValue, ModelRejection, ModelRow, ModelState, RowRef, check_id

# What addresses and numbers the model knows, and the form in which the hub compares them.
NORMALIZED = {
    ("EMAIL", "a@home.org"): "a@home.org",
    ("EMAIL", " A@Home.org"): "a@home.org",
    ("EMAIL", "b@home.org"): "b@home.org",
    ("PHONE", "+49 30 123456"): "4930123456",
    ("PHONE", "+4930123456"): "4930123456",
    ("EXTERNAL_ID", "E-1"): "E-1",
    ("EXTERNAL_ID", "E-2"): "E-2",
}
INVALID_IDENTIFIERS = {
    ("EMAIL", "nobody"): "VALUE_INVALID",
    ("EMAIL", "x@example.com"): "IDENTIFIER_JUNK",
    ("EXTERNAL_ID", "null"): "IDENTIFIER_JUNK",
    ("EXTERNAL_ID", " "): "VALUE_INVALID",
}
DETAILS = ("kind", "name", "status", "tier", "country", "language", "currency", "attributes")
DEFAULTS = {"status": "ACTIVE", "tier": "STANDARD", "stage": "PROSPECT"}
REQUIRED = ("kind", "name", "status", "tier", "stage")
CUSTOMERS = EntityModel(
    "customers",
    "customer",
    DETAILS,
    ("kind", "name", "status", "tier", "attributes"),
    {
        "name": kinds.single_line,
        "country": kinds.country,
        "language": kinds.language,
        "currency": kinds.currency,
        "attributes": kinds.json_object,
    },
)
IDENTIFIERS = EntityModel("identifiers", "identifier", ("verified",), ("verified",), {})
LINKS = {"unitId": "orgUnits", "ownerId": "staff"}


def normalize_identifier(identifier_kind: str, value: str) -> str:
    if (identifier_kind, value) in INVALID_IDENTIFIERS:
        raise ModelRejection(INVALID_IDENTIFIERS[identifier_kind, value])
    return NORMALIZED[identifier_kind, value]


def add_identifier(state: ModelState, customer: Any, values: ModelRow) -> ModelRow:
    """A new identifier of a customer."""
    identifier = {"verified": False, **values, "normalized": normalize_identifier(values["kind"], values["value"])}
    if identifier["verified"] is None:
        raise ModelRejection("VALUE_INVALID")
    state.require_unique(
        "identifiers", kind=identifier["kind"], normalized=identifier["normalized"], source=identifier["source"]
    )
    return state.add("identifiers", {"customerId": customer, **identifier})


def create(state: ModelState, arguments: ModelRow) -> ModelPayload:
    kinds.reject_nul(arguments)
    kinds.check_ids(arguments, LINKS)
    return _insert_customer(state, arguments)


def _insert_customer(state: ModelState, arguments: ModelRow) -> ModelPayload:
    values = kinds.validated({**DEFAULTS, **arguments}, CUSTOMERS.validators)
    parts = values.pop("identifiers", None) or ()
    values["unitId"] = values.get("unitId") or state.units[0]  # the root of the organisation
    if any(values.get(name) is None for name in REQUIRED):
        raise ModelRejection("ARGUMENT_MISSING")
    if values.setdefault("attributes", {}) is None:
        raise ModelRejection("VALUE_INVALID")
    values["attributes"] = kinds.merged_by_key({}, values["attributes"])
    for name, table in LINKS.items():
        if values.get(name) is not None:
            kinds.require_existing(state, table, values[name])
    blank = dict.fromkeys(("ownerId", "country", "language", "currency"))
    row = state.add("customers", {**blank, **values})
    for part in parts:
        add_identifier(state, row["id"], part)
    return {"customer": RowRef("customers", row["id"])}


def find_by_identifier(state: ModelState, identifier: ModelRow) -> Any:
    """The customer who is known by an identifier, a verified one first, then the oldest."""
    normalized_value = normalize_identifier(identifier["kind"], identifier["value"])
    if identifier["kind"] == "EXTERNAL_ID" and identifier.get("source") is None:
        raise ModelRejection("ARGUMENT_MISSING")
    matches = [
        row
        for row in state.rows["identifiers"]
        if (row["kind"], row["normalized"]) == (identifier["kind"], normalized_value)
        and identifier.get("source") in (None, row["source"])
    ]
    matches.sort(key=lambda row: not row["verified"])
    return matches[0]["customer"]["id"] if matches else None


def upsert(state: ModelState, arguments: ModelRow) -> ModelPayload:
    values = {name: value for name, value in arguments.items() if name not in ("by", "expectedVersion")}
    if arguments["by"].get("id") is not None:
        check_id("customers", arguments["by"]["id"])
    kinds.reject_nul(arguments)
    kinds.check_ids(arguments, LINKS)
    key_name, by = kinds.single_key(arguments["by"])
    if key_name == "id":
        return _update_upserted(state, by, arguments)
    if key_name == "external":
        by = {"kind": "EXTERNAL_ID", "value": by["externalId"], "source": by["source"]}
    key = find_by_identifier(state, by)
    if key is not None:
        return _update_upserted(state, key, arguments)
    kinds.reject_expected_version(arguments)
    outcome = _insert_customer(state, values)
    add_identifier(state, outcome["customer"].id, {**by, "source": by.get("source") or "hub"})
    return outcome | {"created": True}


def _update_upserted(state: ModelState, key: Any, arguments: ModelRow) -> ModelPayload:
    """An upsert does not move a customer to another unit, and says so."""
    row = state.require("customers", key)
    if arguments.get("unitId") not in (None, row["unit"]["id"]):
        raise ModelRejection("VALUE_INVALID")
    return CUSTOMERS.apply_update(state, key, arguments) | {"created": False}


def stage_move(state: ModelState, arguments: ModelRow) -> ModelPayload:
    key = check_id("customers", arguments["id"])
    reason = kinds.single_line(arguments["reason"])
    row = state.require("customers", key)
    if row["stage"] == arguments["stage"]:
        raise ModelRejection("STAGE_MOVE_INVALID")
    moved = {"fromStage": row["stage"], "toStage": arguments["stage"], "reason": reason, "movedAt": state.now}
    move = state.add("stageMoves", {"customerId": row["id"], **moved})
    state.update(row, {"stage": arguments["stage"]})
    return {"customer": RowRef("customers", row["id"]), "move": RowRef("stageMoves", move["id"])}


def assign(state: ModelState, arguments: ModelRow) -> ModelPayload:
    key = check_id("customers", arguments["id"])
    changes = {name: arguments[name] for name in LINKS if arguments.get(name) is not None}
    for name, value in changes.items():
        check_id(LINKS[name], value)
    if not changes:
        raise ModelRejection("ARGUMENT_MISSING")
    for name, value in changes.items():
        kinds.require_existing(state, LINKS[name], value)
    row = state.require("customers", key)
    before = {"unitId": row["unit"]["id"], "ownerId": row["owner"] and row["owner"]["id"]}
    copied = frozenset(name for name, value in changes.items() if value != before[name])
    state.update(row, changes)
    if copied:  # orders and interactions hold a copy of both, and the database counts a new one as an edit
        for table in ("orders", "interactions"):
            for child in state.linked(table, "customer", row["id"]):
                state.record_edit(child, {}, copied, state.transaction_start)
    return {"customer": RowRef("customers", row["id"])}


def _sort_time(moment: LearnedValue | str) -> str:
    """A moment as text: one that is not known yet is this operation's, and later than all others."""
    return moment.value or FAR_FUTURE if isinstance(moment, LearnedValue) else moment


def consent_set(state: ModelState, arguments: ModelRow) -> ModelPayload:
    key = check_id("customers", arguments["customerId"])
    evidence = kinds.json_object(arguments.get("evidence") or {})
    purpose, source = kinds.dotted_name(arguments["purpose"]), kinds.single_line(arguments["source"])
    effective_from = arguments.get("givenAt") or state.now
    if effective_from == FAR_FUTURE or arguments.get("expiresAt") == FAR_PAST:
        raise ModelRejection("VALUE_INVALID")
    row = state.require("customers", key)
    history = [
        consent
        for consent in state.linked("consents", "customer", row["id"])
        if (consent["purpose"], consent["channel"]) == (purpose, arguments.get("channel"))
    ]
    for consent in history:
        ends = consent["supersededAt"]
        if _sort_time(consent["givenAt"]) <= _sort_time(effective_from) and (
            ends is None or _sort_time(ends) > _sort_time(effective_from)
        ):
            state.update(consent, {"supersededAt": effective_from, "current": False})
    later = [consent["givenAt"] for consent in history if _sort_time(consent["givenAt"]) > _sort_time(effective_from)]
    superseded_at = min(later, key=_sort_time, default=None)
    new_consent = {
        "customerId": row["id"],
        "purpose": purpose,
        "channel": arguments.get("channel"),
        "status": arguments["status"],
        "evidence": evidence,
        "source": source,
        "givenAt": effective_from,
        "expiresAt": arguments.get("expiresAt"),
        "supersededAt": superseded_at,
        "current": superseded_at is None,
    }
    return {"consent": RowRef("consents", state.add("consents", new_consent)["id"])}


FAR_PAST, RECENT_PAST, FAR_FUTURE = (
    "1999-01-01T00:00:00+00:00",
    "2020-01-01T00:00:00+00:00",
    "2999-01-01T00:00:00+00:00",
)
COMMANDS: dict[str, ModelCommand] = {
    "customerCreate": create,
    "customerUpdate": CUSTOMERS.update,
    "customerUpsert": upsert,
    "customerDelete": CUSTOMERS.delete,
    "customerStageMove": stage_move,
    "customerAssign": assign,
    "identifierUpdate": IDENTIFIERS.update,
    "identifierDelete": IDENTIFIERS.delete,
    "consentSet": consent_set,
}
