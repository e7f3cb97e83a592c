"""Products as clients see them."""

from hub.domain.sales import products
from hub.engine.catalog.scalars import MoneyAmount
from hub.model import scopes
from hub.model.declarations import graphql_type, to_many


@graphql_type(
    products.Product,
    scope=scopes.any_key,
    prefix="prd",
    plural="products",
    sortable=("name", "unit_price"),
    order=("name", "asc"),
    search=("name", "category"),
    writer=products.PRODUCT_WRITER,
)
class Product:
    """A thing on the price list."""

    sku: str
    name: str
    category: str
    packaging: str | None
    unit_price: MoneyAmount
    currency: str
    discontinued: bool
    items = to_many("orders.OrderItem", by="product_id", description="The order lines that name the product.")
