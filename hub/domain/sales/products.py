"""What is sold. Products belong to no customer and are seen by everyone who holds a key."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.model import scopes, validators
from hub.model.columns import entity_table, money, search_column, search_index
from hub.model.writer import EntityWriter

Product = entity_table(
    "products",
    sa.Column("sku", sa.Text, nullable=False, comment="Stock-keeping unit, the product's number."),
    sa.Column("name", sa.Text, nullable=False, comment="Name on the price list."),
    sa.Column("category", sa.Text, nullable=False, comment="Group of the assortment."),
    sa.Column("packaging", sa.Text, comment="What one unit holds."),
    sa.Column("unit_price", money(), nullable=False, comment="List price of one unit."),
    sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code of the price's currency."),
    sa.Column("discontinued", sa.Boolean, nullable=False, server_default=sa.false(), comment="No longer sold."),
    search_column(["name", "category"]),
    sa.UniqueConstraint("sku"),
    sa.CheckConstraint("unit_price >= 0", name="unit_price_is_not_negative"),
    comment="A thing on the price list.",
)
sa.Index("ix_products_name_id", Product.c.name, Product.c.id)
sa.Index("ix_products_unit_price_id", Product.c.unit_price, Product.c.id)
search_index(Product)

PRODUCT_CHECKS: Mapping[str, validators.ValueCheck] = {
    "sku": validators.single_line,
    "name": validators.single_line,
    "category": validators.single_line,
    "packaging": validators.single_line,
    "unit_price": validators.non_negative_amount,
    "currency": validators.currency,
}


def _validate_product(column_values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return validators.check_values(column_values, PRODUCT_CHECKS)


PRODUCT_COLUMNS = ("name", "category", "packaging", "unit_price", "currency", "discontinued")
PRODUCT_WRITER = EntityWriter(
    Product,
    subject="products",
    scope=scopes.any_key,
    creatable=("sku", *PRODUCT_COLUMNS),
    updatable=PRODUCT_COLUMNS,
    check_write=_validate_product,
    unique_keys=("sku",),
)
