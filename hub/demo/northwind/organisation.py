"""Northwind's own side as rows: units, staff and products. The units are the group, its regions and their territories.

The units are as old as the first hire, staff as their own, products as the order data; nobody knows better."""

from decimal import Decimal
from uuid import UUID

from hub.demo.northwind.source import BEGIN, CURRENCY, Facts, Record, midnight
from hub.demo.rows import Batch, batch, ident, milliseconds
from hub.domain.organisation.organisation import OrgUnit, Staff, UnitKind
from hub.domain.sales.products import Product

ROOT = "northwind"


class Organisation:
    """Ids of units by code, of staff by number and of products by number, and the rows that bear them."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.hired = {employee["employee_id"]: midnight(employee["hire_date"]) for employee in facts.employees}
        self.begin = min(self.hired.values())
        self.head = next(employee["employee_id"] for employee in facts.employees if not employee["reports_to"])
        self.region_code = {region["region_id"]: region["region_description"].lower() for region in facts.regions}
        self.region_of = {
            territory["territory_id"]: self.region_code[territory["region_id"]] for territory in facts.territories
        }

    def unit_id(self, code: str) -> UUID:
        return ident(OrgUnit, code, milliseconds(self.begin))

    def staff_id(self, number: str) -> UUID:
        return ident(Staff, number, milliseconds(self.hired[number]))

    def product_id(self, number: str) -> UUID:
        return ident(Product, number, milliseconds(BEGIN))

    def workplace(self, number: str) -> str:
        """Where an employee works: the head at the root, others in the only territory they have, else in the region
        of their territories (nobody's lie in two)."""
        if number == self.head:
            return ROOT
        territories = self.facts.territories_of[number]
        return territories[0] if len(territories) == 1 else self.region_of[territories[0]]

    def batches(self) -> list[Batch]:
        products = [self._product(product) for product in self.facts.products]
        staff = [self._staff(employee) for employee in self.facts.employees]
        return [batch(OrgUnit, self._units()), batch(Staff, staff), batch(Product, products)]

    def _units(self) -> list[dict[str, object]]:
        root = self._unit(ROOT, "Northwind Traders", UnitKind.GROUP, "")
        regions = [
            self._unit(self.region_code[region["region_id"]], region["region_description"], UnitKind.COMPANY, ROOT)
            for region in self.facts.regions
        ]
        territories = [
            self._unit(
                territory["territory_id"],
                territory["territory_description"],
                UnitKind.OUTLET,
                f"{ROOT}.{self.region_of[territory['territory_id']]}",
            )
            for territory in self.facts.territories
        ]
        return [root, *regions, *territories]

    def _unit(self, code: str, name: str, kind: UnitKind, above: str) -> dict[str, object]:
        return {
            "id": self.unit_id(code),
            "code": code,
            "name": name,
            "kind": kind,
            "parent_id": self.unit_id(above.rpartition(".")[2]) if above else None,
            "path": f"{above}.{code}" if above else code,
            "created_at": self.begin,
            "updated_at": self.begin,
        }

    def _staff(self, employee: Record) -> dict[str, object]:
        number = employee["employee_id"]
        hired = self.hired[number]
        return {
            "id": self.staff_id(number),
            "number": number,
            "name": f"{employee['first_name']} {employee['last_name']}",
            "title": employee["title"],
            "hired_on": hired.date(),
            "unit_id": self.unit_id(self.workplace(number)),
            "reports_to_id": self.staff_id(employee["reports_to"]) if employee["reports_to"] else None,
            "created_at": hired,
            "updated_at": hired,
        }

    def _product(self, product: Record) -> dict[str, object]:
        return {
            "id": self.product_id(product["product_id"]),
            "sku": f"NW-{int(product['product_id']):03}",
            "name": product["product_name"],
            "category": self.facts.categories[product["category_id"]],
            "packaging": product["quantity_per_unit"],
            "unit_price": Decimal(product["unit_price"]),
            "currency": CURRENCY,
            "discontinued": product["discontinued"] == "1",
            "created_at": BEGIN,
            "updated_at": BEGIN,
        }
