"""Customers, what they are known by, and what happens to them, in the model."""

from typing import Any

from state_model import kinds
from state_model.kinds import Kind, Outcome, Verb
from state_model.world import Cell, Ref, Refused, Row, World, key_of

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
JUNK = {
    ("EMAIL", "nobody"): "VALUE_INVALID",
    ("EMAIL", "x@example.com"): "IDENTIFIER_JUNK",
    ("EXTERNAL_ID", "null"): "IDENTIFIER_JUNK",
    ("EXTERNAL_ID", " "): "VALUE_INVALID",
}
DETAILS = ("kind", "name", "status", "tier", "country", "language", "currency", "attributes")
DEFAULTS = {"status": "ACTIVE", "tier": "STANDARD", "stage": "PROSPECT"}
NEEDED = ("kind", "name", "status", "tier", "stage")
CUSTOMERS = Kind(
    "customers",
    "customer",
    DETAILS,
    ("kind", "name", "status", "tier", "attributes"),
    {
        "name": kinds.line,
        "country": kinds.country,
        "language": kinds.language,
        "currency": kinds.currency,
        "attributes": kinds.facts,
    },
)
IDENTIFIERS = Kind("identifiers", "identifier", ("verified",), ("verified",), {})
LINKS = {"unitId": "orgUnits", "ownerId": "staff"}


def normalized(kind: str, value: str) -> str:
    if (kind, value) in JUNK:
        raise Refused(JUNK[kind, value])
    return NORMALIZED[kind, value]


def known_by(world: World, customer: Any, given: Row) -> Row:
    """A new identifier of a customer."""
    made = {"verified": False, **given, "normalized": normalized(given["kind"], given["value"])}
    if made["verified"] is None:
        raise Refused("VALUE_INVALID")
    world.unique("identifiers", kind=made["kind"], normalized=made["normalized"], source=made["source"])
    return world.add("identifiers", {"customerId": customer, **made})


def create(world: World, given: Row) -> Outcome:
    kinds.storable(given)
    kinds.ids(given, LINKS)
    return _made(world, given)


def _made(world: World, given: Row) -> Outcome:
    values = kinds.checked({**DEFAULTS, **given}, CUSTOMERS.checks)
    parts = values.pop("identifiers", None) or ()
    values["unitId"] = values.get("unitId") or world.units[0]  # the root of the organisation
    if any(values.get(name) is None for name in NEEDED):
        raise Refused("ARGUMENT_MISSING")
    if values.setdefault("attributes", {}) is None:
        raise Refused("VALUE_INVALID")
    for name, table in LINKS.items():
        if values.get(name) is not None:
            kinds.seen(world, table, values[name])
    blank = dict.fromkeys(("ownerId", "country", "language", "currency"))
    row = world.add("customers", {**blank, **values})
    for part in parts:
        known_by(world, row["id"], part)
    return {"customer": Ref("customers", row["id"])}


def known(world: World, given: Row) -> Any:
    """The customer who is known by an identifier, a verified one first, then the oldest."""
    compared = normalized(given["kind"], given["value"])
    if given["kind"] == "EXTERNAL_ID" and given.get("source") is None:
        raise Refused("ARGUMENT_MISSING")
    found = [
        each
        for each in world.rows["identifiers"]
        if (each["kind"], each["normalized"]) == (given["kind"], compared)
        and given.get("source") in (None, each["source"])
    ]
    found.sort(key=lambda each: not each["verified"])
    return found[0]["customer"]["id"] if found else None


def upsert(world: World, given: Row) -> Outcome:
    values = {name: value for name, value in given.items() if name not in ("by", "expectedVersion")}
    if given["by"].get("id") is not None:
        key_of("customers", given["by"]["id"])
    kinds.storable(given)
    kinds.ids(given, LINKS)
    way, by = kinds.one_way(given["by"])
    if way == "id":
        world.need("customers", by)
        return CUSTOMERS.changed(world, by, given) | {"created": False}
    if way == "external":
        by = {"kind": "EXTERNAL_ID", "value": by["externalId"], "source": by["source"]}
    key = known(world, by)
    if key is not None:
        return CUSTOMERS.changed(world, key, given) | {"created": False}
    kinds.unversioned(given)
    outcome = _made(world, values)
    known_by(world, outcome["customer"].id, {**by, "source": by.get("source") or "hub"})
    return outcome | {"created": True}


def stage_move(world: World, given: Row) -> Outcome:
    key = key_of("customers", given["id"])
    reason = kinds.line(given["reason"])
    row = world.need("customers", key)
    if row["stage"] == given["stage"]:
        raise Refused("STAGE_MOVE_INVALID")
    moved = {"fromStage": row["stage"], "toStage": given["stage"], "reason": reason, "movedAt": world.at}
    move = world.add("stageMoves", {"customerId": row["id"], **moved})
    world.change(row, {"stage": given["stage"]})
    return {"customer": Ref("customers", row["id"]), "move": Ref("stageMoves", move["id"])}


def assign(world: World, given: Row) -> Outcome:
    key = key_of("customers", given["id"])
    wanted = {name: given[name] for name in LINKS if given.get(name) is not None}
    for name, value in wanted.items():
        key_of(LINKS[name], value)
    if not wanted:
        raise Refused("ARGUMENT_MISSING")
    for name, value in wanted.items():
        kinds.seen(world, LINKS[name], value)
    row = world.need("customers", key)
    moves = wanted.get("unitId", row["unit"]["id"]) != row["unit"]["id"]
    world.change(row, wanted)
    if moves:  # the database moves what lies with the customer, and counts that as an edit
        for table in ("orders", "interactions"):
            for each in world.of(table, "customer", row["id"]):
                world.edit(each, {}, frozenset({"unitId"}), world.began)
    return {"customer": Ref("customers", row["id"])}


def _when(moment: Cell | str) -> str:
    """A moment as text: one that is not known yet is this operation's, and later than all others."""
    return moment.value or AHEAD if isinstance(moment, Cell) else moment


def consent_set(world: World, given: Row) -> Outcome:
    key = key_of("customers", given["customerId"])
    evidence = kinds.facts(given.get("evidence") or {})
    purpose, source = kinds.words(given["purpose"]), kinds.line(given["source"])
    given_at = given.get("givenAt") or world.at
    if given_at == AHEAD or given.get("expiresAt") == LONG_AGO:
        raise Refused("VALUE_INVALID")
    row = world.need("customers", key)
    same = [
        each
        for each in world.of("consents", "customer", row["id"])
        if (each["purpose"], each["channel"]) == (purpose, given.get("channel"))
    ]
    for each in same:
        ends = each["supersededAt"]
        if _when(each["givenAt"]) <= _when(given_at) and (ends is None or _when(ends) > _when(given_at)):
            world.change(each, {"supersededAt": given_at, "current": False})
    later = [each["givenAt"] for each in same if _when(each["givenAt"]) > _when(given_at)]
    superseded_at = min(later, key=_when, default=None)
    made = {
        "customerId": row["id"],
        "purpose": purpose,
        "channel": given.get("channel"),
        "status": given["status"],
        "evidence": evidence,
        "source": source,
        "givenAt": given_at,
        "expiresAt": given.get("expiresAt"),
        "supersededAt": superseded_at,
        "current": superseded_at is None,
    }
    return {"consent": Ref("consents", world.add("consents", made)["id"])}


LONG_AGO, LATELY, AHEAD = "1999-01-01T00:00:00+00:00", "2020-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"
VERBS: dict[str, Verb] = {
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
