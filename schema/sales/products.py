"""Products. They belong to no customer; every key may read them."""

from hub.model import GLOBAL, Column, Entity, MoneyAmount, PersonalData, any_key, field, validators


class Product(
    Entity,
    prefix="prd",
    subject_of=("WorkItem",),
    owned_by=any_key,
    order="name",
    sortable=("updated_at",),
    search=("name", "category"),
    checks={"unit_price_is_not_negative": "unit_price >= 0"},
):
    """An item on the price list."""

    sku: Column[str] = field(
        "Stock-keeping unit, the product's number.",
        unique=GLOBAL,
        check=validators.single_line,
        writable="create",
        personal=PersonalData.NOT_PERSONAL,
    )
    name: Column[str] = field(
        "Name on the price list.", check=validators.single_line, sortable=True, personal=PersonalData.NOT_PERSONAL
    )
    category: Column[str] = field(
        "Group of the assortment.", check=validators.single_line, personal=PersonalData.NOT_PERSONAL
    )
    packaging: Column[str | None] = field(
        "Contents of one unit.", check=validators.single_line, personal=PersonalData.NOT_PERSONAL
    )
    unit_price: Column[MoneyAmount] = field(
        "List price of one unit, to four decimals in every currency.",
        check=validators.non_negative_amount,
        sortable=True,
    )
    currency: Column[str] = field(
        "ISO 4217 code of the price's currency.", check=validators.currency, personal=PersonalData.NOT_PERSONAL
    )
    discontinued: Column[bool] = field("No longer sold.", server_default=False)
