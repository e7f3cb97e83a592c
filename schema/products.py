"""Products as clients see them."""

from hub.domain import products, scope
from hub.engine.links import many, row
from hub.engine.wire import Money


@row(
    products.Product,
    scope=scope.everyone,
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
