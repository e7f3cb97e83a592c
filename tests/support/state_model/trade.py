"""Products, orders with their items, and interactions, in the model."""

from decimal import ROUND_HALF_UP, Decimal
from itertools import count

from state_model import kinds
from state_model.customers import FAR_FUTURE, find_by_identifier
from state_model.kinds import EntityModel, ModelCommand, ModelPayload
from state_model.world import ModelRejection, ModelRow, ModelState, RowRef, check_id, same_id

ROUNDING = Decimal("0.0001")
ZERO = Decimal("0.0000")
STATUS_TRANSITIONS = {
    "DRAFT": ("PLACED", "CANCELLED"),
    "PLACED": ("SHIPPED", "CANCELLED"),
    "SHIPPED": ("RETURNED",),
    "CANCELLED": (),
    "RETURNED": (),
}


def _product_in_use(state: ModelState, row: ModelRow) -> None:
    if any(state.linked("orderItems", "product", row["id"])):
        raise ModelRejection("IN_USE")


PRODUCTS = EntityModel(
    "products",
    "product",
    ("name", "category", "packaging", "unitPrice", "currency", "discontinued"),
    ("name", "category", "unitPrice", "currency", "discontinued"),
    {
        "sku": kinds.single_line,
        "name": kinds.single_line,
        "category": kinds.single_line,
        "packaging": kinds.single_line,
        "unitPrice": kinds.non_negative_amount,
        "currency": kinds.currency,
    },
    before_delete=_product_in_use,
)


def product_create(state: ModelState, arguments: ModelRow) -> ModelPayload:
    if arguments.get("discontinued", False) is None:
        raise ModelRejection("VALUE_INVALID")
    values = kinds.validated(arguments, PRODUCTS.validators)
    if any(values.get(name) is None for name in ("sku", "name", "category", "unitPrice", "currency")):
        raise ModelRejection("ARGUMENT_MISSING")
    values = {"packaging": None, "discontinued": False, **values}
    state.require_unique("products", sku=values["sku"])
    return {"product": RowRef("products", state.add("products", values)["id"])}


def product_upsert(state: ModelState, arguments: ModelRow) -> ModelPayload:
    values = {name: value for name, value in arguments.items() if name not in ("by", "expectedVersion")}
    if arguments["by"].get("id") is not None:
        check_id("products", arguments["by"]["id"])
    key_name, product_key = kinds.single_key(arguments["by"])
    if key_name == "sku":
        sku = kinds.single_line(product_key)
        product = next((row for row in state.rows["products"] if row["sku"] == sku), None)
        if product is None:
            kinds.reject_expected_version(arguments)
            return product_create(state, {**values, "sku": sku}) | {"created": True}
        product_key = product["id"]
    state.require("products", product_key)
    return PRODUCTS.apply_update(state, product_key, arguments) | {"created": False}


def _recompute_total(state: ModelState, row: ModelRow) -> None:
    row["total"] = row["net"] + row["freight"]


def _recompute_net(state: ModelState, row: ModelRow) -> None:
    """An item comes to what it comes to, and its order to the sum."""
    row["net"] = (row["unitPrice"] * row["quantity"] * (1 - row["discount"])).quantize(ROUNDING, ROUND_HALF_UP)
    (order,) = (candidate for candidate in state.rows["orders"] if same_id(candidate["id"], row["order"]["id"]))
    net = sum((item["net"] for item in state.linked("orderItems", "order", order["id"])), ZERO)
    state.update(order, {"net": net, "total": net + order["freight"]})


def _order_in_use(state: ModelState, row: ModelRow) -> None:
    if any(state.linked("interactions", "order", row["id"])):
        raise ModelRejection("IN_USE")


def _require_refund_reason(state: ModelState, row: ModelRow) -> None:
    if row.get("reason") is None and (row.get("freight") or ZERO) < 0:
        raise ModelRejection("VALUE_INVALID")


def _require_return_reason(state: ModelState, row: ModelRow) -> None:
    if row.get("reason") is None and (row["quantity"] < 1 or row["unitPrice"] < 0):
        raise ModelRejection("VALUE_INVALID")


SHIPPING = ("requiredAt", "freight", "shipTo", "shipCity", "shipCountry", "reason", "staffId")
ORDERS = EntityModel(
    "orders",
    "order",
    ("number", *SHIPPING),
    ("number", "freight"),
    {
        "number": kinds.single_line,
        "currency": kinds.currency,
        "net": kinds.amount,
        "freight": kinds.amount,
        "reason": kinds.single_line,
        "shipTo": kinds.single_line,
        "shipCity": kinds.single_line,
        "shipCountry": kinds.country,
    },
    links={"staffId": "staff"},
    unique_fields=("number",),
    after_write=_recompute_total,
    before_delete=_order_in_use,
    check_row=_require_refund_reason,
)


def _quantity(value: int) -> int:
    if abs(value) > 1_000_000:
        raise ModelRejection("VALUE_INVALID")
    return value


def _discount(value: str) -> Decimal:
    if not 0 <= Decimal(value) <= 1:
        raise ModelRejection("VALUE_INVALID")
    return Decimal(value).quantize(ROUNDING)


ITEMS = EntityModel(
    "orderItems",
    "orderItem",
    ("line", "productId", "quantity", "unitPrice", "discount", "reason"),
    ("line", "productId", "quantity", "unitPrice", "discount"),
    {"quantity": _quantity, "unitPrice": kinds.amount, "discount": _discount, "reason": kinds.single_line},
    links={"productId": "products"},
    unique_fields=("line",),
    after_write=_recompute_net,
    check_row=_require_return_reason,
)


def _add_item(state: ModelState, order: ModelRow, arguments: ModelRow) -> ModelRow:
    """A new item; the order's net is left to the caller."""
    values = {"discount": ZERO, "reason": None, **kinds.validated(arguments, ITEMS.validators)}
    if values["discount"] is None:
        raise ModelRejection("VALUE_INVALID")
    state.require_unique("orderItems", line=values["line"], order={"id": order["id"]})
    kinds.require_existing(state, "products", values["productId"])
    net = (values["unitPrice"] * values["quantity"] * (1 - values["discount"])).quantize(ROUNDING, ROUND_HALF_UP)
    return state.add("orderItems", {"orderId": order["id"], **values, "currency": order["currency"], "net": net})


def _resolve_customer(state: ModelState, arguments: ModelRow) -> ModelRow:
    """The customer may be named by what it is known by."""
    identifier = arguments.pop("identifier", None)
    if identifier is None:
        return arguments
    if arguments.get("customerId") is not None:
        raise ModelRejection("VALUE_INVALID")
    key = find_by_identifier(state, identifier)
    if key is None:
        raise ModelRejection("NOT_FOUND")
    return {**arguments, "customerId": key}


def _item_of_refund(item: ModelRow, reason: str | None) -> ModelRow:
    """A nested item; one that comes back and has no reason takes the order's."""
    comes_back = item["quantity"] < 1 or Decimal(item["unitPrice"]) < 0
    return {**item, "reason": reason} if comes_back and item.get("reason") is None and reason is not None else item


def order_create(state: ModelState, arguments: ModelRow) -> ModelPayload:
    kinds.check_ids(arguments, {"customerId": "customers"})
    kinds.reject_nul(arguments)
    kinds.check_ids(arguments, {"staffId": "staff"})
    for item in arguments.get("items") or ():
        check_id("products", item["productId"])
    values = kinds.validated(_resolve_customer(state, {"status": "PLACED", **arguments}), ORDERS.validators)
    items = [_item_of_refund(item, values.get("reason")) for item in values.pop("items", None) or ()]
    for item in items:
        _require_return_reason(state, kinds.validated(item, ITEMS.validators))
    if (values.get("net") or ZERO) < 0 and values.get("reason") is None:
        raise ModelRejection("VALUE_INVALID")
    _require_refund_reason(state, values)
    if items and values.get("net") is not None:
        raise ModelRejection("VALUE_INVALID")
    if values["status"] is None or values.get("customerId") is None:
        raise ModelRejection("ARGUMENT_MISSING")
    blank = dict.fromkeys((*SHIPPING, "shippedAt")) | {"placedAt": state.now, "net": ZERO, "freight": ZERO}
    values = {**blank, **{name: value for name, value in values.items() if value is not None}}
    customer = state.require("customers", values["customerId"])
    state.require_unique("orders", number=values["number"])
    if values["staffId"] is not None:
        kinds.require_existing(state, "staff", values["staffId"])
    order = state.add("orders", {**values, "customerId": customer["id"], "total": ZERO})
    free_lines = (number for number in count(1) if number not in {item.get("line") for item in items})
    added_items = [
        _add_item(state, order, item if "line" in item else {"line": next(free_lines), **item}) for item in items
    ]
    order["net"] = sum((item["net"] for item in added_items), order["net"])
    order["total"] = order["net"] + order["freight"]
    return {"order": RowRef("orders", order["id"])}


def item_create(state: ModelState, arguments: ModelRow) -> ModelPayload:
    key = check_id("orders", arguments["orderId"])
    check_id("products", arguments["productId"])
    values = {name: value for name, value in arguments.items() if name != "orderId"}
    _require_return_reason(state, kinds.validated(values, ITEMS.validators))
    if values.get("line") is None:
        raise ModelRejection("ARGUMENT_MISSING")
    order = state.require("orders", key)
    item = _add_item(state, order, values)
    _recompute_net(state, item)
    return {"orderItem": RowRef("orderItems", item["id"])}


def status_move(state: ModelState, arguments: ModelRow) -> ModelPayload:
    row = state.require("orders", check_id("orders", arguments["id"]))
    if arguments["status"] not in STATUS_TRANSITIONS[row["status"]]:
        raise ModelRejection("STATUS_MOVE_INVALID")
    shipped = {"shippedAt": state.now} if arguments["status"] == "SHIPPED" and row["shippedAt"] is None else {}
    state.update(row, {"status": arguments["status"], **shipped})
    return {"order": RowRef("orders", row["id"])}


INTERACTIONS = EntityModel("interactions", "interaction", ("subject", "body"), (), {"subject": kinds.single_line})


def interaction_record(state: ModelState, arguments: ModelRow) -> ModelPayload:
    kinds.check_ids(arguments, {"customerId": "customers"})
    kinds.reject_nul(arguments)
    kinds.check_ids(arguments, {"staffId": "staff", "orderId": "orders"})
    identifier, key = arguments.get("identifier"), arguments.get("customerId")
    if (key is None) is (identifier is None):
        raise ModelRejection("ARGUMENT_MISSING")
    if identifier is not None:
        key = find_by_identifier(state, identifier)
        if key is None:
            raise ModelRejection("NOT_FOUND")
    interaction_kind = kinds.dotted_name(arguments["kind"])
    subject = None if arguments.get("subject") is None else kinds.single_line(arguments["subject"])
    if arguments.get("occurredAt") == FAR_FUTURE:
        raise ModelRejection("VALUE_INVALID")
    customer = state.require("customers", key)
    if arguments.get("staffId") is not None:
        kinds.require_existing(state, "staff", arguments["staffId"])
    order = arguments.get("orderId")
    if order is not None and not same_id(state.require("orders", order)["customer"]["id"], key):
        raise ModelRejection("NOT_FOUND")
    names = ("channel", "direction", "body", "staffId", "orderId")
    values = {name: arguments.get(name) for name in names} | {"kind": interaction_kind, "subject": subject}
    values |= {"occurredAt": arguments.get("occurredAt") or state.now, "customerId": customer["id"]}
    return {"interaction": RowRef("interactions", state.add("interactions", values)["id"])}


COMMANDS: dict[str, ModelCommand] = {
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
    "interactionRecord": interaction_record,
    "interactionUpdate": INTERACTIONS.update,
    "interactionDelete": INTERACTIONS.delete,
}
