"""Products as clients see them."""

from hub.domain.sales import products
from hub.engine.catalog.scalars import Money
from hub.model import scopes
from hub.model.declarations import many, row


@row(
    products.Product,
    scope=scopes.everyone,
    prefix="prd",
    plural="products",
    sortable=("name", "unit_price"),
    order=("name", "asc"),
    search=("name", "category"),
    writes=products.PRODUCTS,
)
class Product:
    """A thing on the price list."""

    sku: str
    name: str
    category: str
    packaging: str | None
    unit_price: Money
    currency: str
    discontinued: bool
    items = many("orders.OrderItem", by="product_id", description="The order lines that name the product.")
