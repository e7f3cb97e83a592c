"""Products, orders with their items, and interactions, in the model."""

from decimal import ROUND_HALF_UP, Decimal
from itertools import count

from state_model import kinds
from state_model.customers import AHEAD, known
from state_model.kinds import Kind, Outcome, Verb
from state_model.world import Ref, Refused, Row, World, key_of, same

CENT = Decimal("0.0001")
NOTHING = Decimal("0.0000")
ALLOWED = {
    "DRAFT": ("PLACED", "CANCELLED"),
    "PLACED": ("SHIPPED", "CANCELLED"),
    "SHIPPED": ("RETURNED",),
    "CANCELLED": (),
    "RETURNED": (),
}


def _product_in_use(world: World, row: Row) -> None:
    if any(world.of("orderItems", "product", row["id"])):
        raise Refused("IN_USE")


PRODUCTS = Kind(
    "products",
    "product",
    ("name", "category", "packaging", "unitPrice", "currency", "discontinued"),
    ("name", "category", "unitPrice", "currency", "discontinued"),
    {
        "sku": kinds.line,
        "name": kinds.line,
        "category": kinds.line,
        "packaging": kinds.line,
        "unitPrice": kinds.amount,
        "currency": kinds.currency,
    },
    leaving=_product_in_use,
)


def product_create(world: World, given: Row) -> Outcome:
    values = kinds.checked(given, PRODUCTS.checks)
    if any(values.get(name) is None for name in ("sku", "name", "category", "unitPrice", "currency")):
        raise Refused("ARGUMENT_MISSING")
    values = {"packaging": None, "discontinued": False, **values}
    if values["discontinued"] is None:
        raise Refused("VALUE_INVALID")
    world.unique("products", sku=values["sku"])
    return {"product": Ref("products", world.add("products", values)["id"])}


def product_upsert(world: World, given: Row) -> Outcome:
    values = {name: value for name, value in given.items() if name not in ("by", "expectedVersion")}
    if given["by"].get("id") is not None:
        key_of("products", given["by"]["id"])
    way, wanted = kinds.one_way(given["by"])
    if way == "sku":
        sku = kinds.line(wanted)
        found = next((row for row in world.rows["products"] if row["sku"] == sku), None)
        if found is None:
            kinds.unversioned(given)
            return product_create(world, {**values, "sku": sku}) | {"created": True}
        wanted = found["id"]
    world.need("products", wanted)
    return PRODUCTS.changed(world, wanted, given) | {"created": False}


def _total(world: World, row: Row) -> None:
    row["total"] = row["net"] + row["freight"]


def _settle(world: World, row: Row) -> None:
    """An item comes to what it comes to, and its order to the sum."""
    row["net"] = (row["unitPrice"] * row["quantity"] * (1 - row["discount"])).quantize(CENT, ROUND_HALF_UP)
    (order,) = (each for each in world.rows["orders"] if same(each["id"], row["order"]["id"]))
    net = sum((each["net"] for each in world.of("orderItems", "order", order["id"])), NOTHING)
    world.change(order, {"net": net, "total": net + order["freight"]})


def _order_in_use(world: World, row: Row) -> None:
    if any(world.of("interactions", "order", row["id"])):
        raise Refused("IN_USE")


SHIPPING = ("requiredAt", "freight", "shipTo", "shipCity", "shipCountry", "staffId")
ORDERS = Kind(
    "orders",
    "order",
    ("number", *SHIPPING),
    ("number", "freight"),
    {
        "number": kinds.line,
        "currency": kinds.currency,
        "net": kinds.amount,
        "freight": kinds.amount,
        "shipTo": kinds.line,
        "shipCity": kinds.line,
        "shipCountry": kinds.country,
    },
    links={"staffId": "staff"},
    unique=("number",),
    settle=_total,
    leaving=_order_in_use,
)


def _units(value: int) -> int:
    if not 0 < value <= 1_000_000:
        raise Refused("VALUE_INVALID")
    return value


def _share(value: str) -> Decimal:
    if not 0 <= Decimal(value) <= 1:
        raise Refused("VALUE_INVALID")
    return Decimal(value).quantize(CENT)


ITEMS = Kind(
    "orderItems",
    "orderItem",
    ("line", "productId", "quantity", "unitPrice", "discount"),
    ("line", "productId", "quantity", "unitPrice", "discount"),
    {"quantity": _units, "unitPrice": kinds.amount, "discount": _share},
    links={"productId": "products"},
    unique=("line",),
    settle=_settle,
)


def _item(world: World, order: Row, given: Row) -> Row:
    """A new item; the order's net is left to the caller."""
    values = {"discount": NOTHING, **kinds.checked(given, ITEMS.checks)}
    if values["discount"] is None:
        raise Refused("VALUE_INVALID")
    world.unique("orderItems", line=values["line"], order={"id": order["id"]})
    kinds.seen(world, "products", values["productId"])
    net = (values["unitPrice"] * values["quantity"] * (1 - values["discount"])).quantize(CENT, ROUND_HALF_UP)
    return world.add("orderItems", {"orderId": order["id"], **values, "currency": order["currency"], "net": net})


def _named(world: World, given: Row) -> Row:
    """The customer may be named by what it is known by."""
    identifier = given.pop("identifier", None)
    if identifier is None:
        return given
    if given.get("customerId") is not None:
        raise Refused("VALUE_INVALID")
    key = known(world, identifier)
    if key is None:
        raise Refused("NOT_FOUND")
    return {**given, "customerId": key}


def order_create(world: World, given: Row) -> Outcome:
    kinds.ids(given, {"customerId": "customers"})
    kinds.storable(given)
    kinds.ids(given, {"staffId": "staff"})
    for each in given.get("items") or ():
        key_of("products", each["productId"])
    values = kinds.checked(_named(world, {"status": "PLACED", **given}), ORDERS.checks)
    items = values.pop("items", None) or ()
    for each in items:
        kinds.checked(each, ITEMS.checks)
    if items and values.get("net") is not None:
        raise Refused("VALUE_INVALID")
    if values["status"] is None or values.get("customerId") is None:
        raise Refused("ARGUMENT_MISSING")
    blank = dict.fromkeys((*SHIPPING, "shippedAt")) | {"placedAt": world.at, "net": NOTHING, "freight": NOTHING}
    values = {**blank, **{name: value for name, value in values.items() if value is not None}}
    customer = world.need("customers", values["customerId"])
    world.unique("orders", number=values["number"])
    if values["staffId"] is not None:
        kinds.seen(world, "staff", values["staffId"])
    order = world.add("orders", {**values, "customerId": customer["id"], "total": NOTHING})
    free = (number for number in count(1) if number not in {each.get("line") for each in items})
    made = [_item(world, order, each if "line" in each else {"line": next(free), **each}) for each in items]
    order["net"] = sum((each["net"] for each in made), order["net"])
    order["total"] = order["net"] + order["freight"]
    return {"order": Ref("orders", order["id"])}


def item_create(world: World, given: Row) -> Outcome:
    key = key_of("orders", given["orderId"])
    key_of("products", given["productId"])
    values = {name: value for name, value in given.items() if name != "orderId"}
    kinds.checked(values, ITEMS.checks)
    if values.get("line") is None:
        raise Refused("ARGUMENT_MISSING")
    order = world.need("orders", key)
    item = _item(world, order, values)
    _settle(world, item)
    return {"orderItem": Ref("orderItems", item["id"])}


def status_move(world: World, given: Row) -> Outcome:
    row = world.need("orders", key_of("orders", given["id"]))
    if given["status"] not in ALLOWED[row["status"]]:
        raise Refused("STATUS_MOVE_INVALID")
    shipped = {"shippedAt": world.at} if given["status"] == "SHIPPED" and row["shippedAt"] is None else {}
    world.change(row, {"status": given["status"], **shipped})
    return {"order": Ref("orders", row["id"])}


INTERACTIONS = Kind("interactions", "interaction", ("subject", "body"), (), {"subject": kinds.line})


def record(world: World, given: Row) -> Outcome:
    kinds.ids(given, {"customerId": "customers"})
    kinds.storable(given)
    kinds.ids(given, {"staffId": "staff", "orderId": "orders"})
    identifier, key = given.get("identifier"), given.get("customerId")
    if (key is None) is (identifier is None):
        raise Refused("ARGUMENT_MISSING")
    if identifier is not None:
        key = known(world, identifier)
        if key is None:
            raise Refused("NOT_FOUND")
    kind = kinds.words(given["kind"])
    subject = None if given.get("subject") is None else kinds.line(given["subject"])
    if given.get("occurredAt") == AHEAD:
        raise Refused("VALUE_INVALID")
    customer = world.need("customers", key)
    if given.get("staffId") is not None:
        kinds.seen(world, "staff", given["staffId"])
    order = given.get("orderId")
    if order is not None and not same(world.need("orders", order)["customer"]["id"], key):
        raise Refused("NOT_FOUND")
    names = ("channel", "direction", "body", "staffId", "orderId")
    values = {name: given.get(name) for name in names} | {"kind": kind, "subject": subject}
    values |= {"occurredAt": given.get("occurredAt") or world.at, "customerId": customer["id"]}
    return {"interaction": Ref("interactions", world.add("interactions", values)["id"])}


VERBS: dict[str, Verb] = {
    "productCreate": product_create,
    "productUpdate": PRODUCTS.update,
    "productUpsert": product_upsert,
    "productDelete": PRODUCTS.delete,
    "orderCreate": order_create,
    "orderUpdate": ORDERS.update,
    "orderDelete": ORDERS.delete,
    "orderStatusMove": status_move,
    "orderItemCreate": item_create,
    "orderItemUpdate": ITEMS.update,
    "orderItemDelete": ITEMS.delete,
    "interactionRecord": record,
    "interactionUpdate": INTERACTIONS.update,
    "interactionDelete": INTERACTIONS.delete,
}
