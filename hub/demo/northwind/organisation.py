"""Northwind's own organisation as rows: units and staff. Units are the group, its regions and their territories.

Units are created at the first hire, staff at their own hire, products when the order data starts."""

from uuid import UUID

from hub.demo.northwind.source import BEGIN, CsvRecord, NorthwindSource, midnight
from hub.demo.rows import Batch, batch, sample_id, to_milliseconds
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit, UnitKind
from hub.schema.sales.products import Product

ROOT = "northwind"


class NorthwindOrganisation:
    """Ids of units by code, of staff and products by number, and their rows."""

    def __init__(self, source: NorthwindSource) -> None:
        self.source = source
        self.hired_at = {employee["employee_id"]: midnight(employee["hire_date"]) for employee in source.employees}
        self.first_hired_at = min(self.hired_at.values())
        self.top_employee = next(employee["employee_id"] for employee in source.employees if not employee["reports_to"])
        self.region_codes = {region["region_id"]: region["region_description"].lower() for region in source.regions}
        self.region_by_territory = {
            territory["territory_id"]: self.region_codes[territory["region_id"]] for territory in source.territories
        }

    def unit_id(self, code: str) -> UUID:
        return sample_id(OrgUnit, code, to_milliseconds(self.first_hired_at))

    def staff_id(self, number: str) -> UUID:
        return sample_id(Staff, number, to_milliseconds(self.hired_at[number]))

    def product_id(self, number: str) -> UUID:
        return sample_id(Product, number, to_milliseconds(BEGIN))

    def workplace(self, number: str) -> str:
        """Returns an employee's unit: the root for the head, the territory for employees with one, else the region of
        their territories (no employee has territories in two regions)."""
        if number == self.top_employee:
            return ROOT
        territories = self.source.territories_by_employee[number]
        return territories[0] if len(territories) == 1 else self.region_by_territory[territories[0]]

    def batches(self) -> list[Batch]:
        staff = [self._staff(employee) for employee in self.source.employees]
        return [batch(OrgUnit, self._units()), batch(Staff, staff)]

    def _units(self) -> list[dict[str, object]]:
        root = self._unit(ROOT, "Northwind Traders", UnitKind.GROUP, "")
        regions = [
            self._unit(self.region_codes[region["region_id"]], region["region_description"], UnitKind.COMPANY, ROOT)
            for region in self.source.regions
        ]
        territories = [
            self._unit(
                territory["territory_id"],
                territory["territory_description"],
                UnitKind.OUTLET,
                f"{ROOT}.{self.region_by_territory[territory['territory_id']]}",
            )
            for territory in self.source.territories
        ]
        return [root, *regions, *territories]

    def _unit(self, code: str, name: str, unit_kind: UnitKind, parent_path: str) -> dict[str, object]:
        return {
            "id": self.unit_id(code),
            "code": code,
            "name": name,
            "kind": unit_kind,
            "parent_id": self.unit_id(parent_path.rpartition(".")[2]) if parent_path else None,
            "path": f"{parent_path}.{code}" if parent_path else code,
            "created_at": self.first_hired_at,
            "updated_at": self.first_hired_at,
        }

    def _staff(self, employee: CsvRecord) -> dict[str, object]:
        number = employee["employee_id"]
        hired_at = self.hired_at[number]
        return {
            "id": self.staff_id(number),
            "number": number,
            "name": f"{employee['first_name']} {employee['last_name']}",
            "title": employee["title"],
            "hired_on": hired_at.date(),
            "unit_id": self.unit_id(self.workplace(number)),
            "reports_to_id": self.staff_id(employee["reports_to"]) if employee["reports_to"] else None,
            "created_at": hired_at,
            "updated_at": hired_at,
        }
