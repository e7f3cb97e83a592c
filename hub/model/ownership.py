"""Whose rows an entity's are: the words for `owned_by=`. Each brings its columns, their keys and the scope of visibility."""

from dataclasses import dataclass, replace

from hub.model import item_scopes, scopes, work_scopes
from hub.model.links import Inverse, LinkIndex
from hub.model.scopes import Scope


@dataclass(frozen=True, slots=True)
class Ownership:
    """A scope, and the link to the owner: its description and, if the owner lists the rows, the name of the list.

    Called, it gives a copy with another description, an inverse, or another index behind the owner's key."""

    scope: Scope
    carries_unit: bool = False  # whether each row has its customer's `unit_id` and `owner_id`
    carries_key: bool = False  # whether each row has the public id of its key, `owner`
    carries_subject: bool = False  # whether each row has the customer, unit and person of the row that it is about
    description: str = "The customer that the row belongs to."
    inverse: Inverse | None = None
    index: LinkIndex = True

    def __call__(
        self, description: str | None = None, *, inverse: Inverse | None = None, index: LinkIndex = True
    ) -> "Ownership":
        return replace(self, description=description or self.description, inverse=inverse, index=index)


customer_owned = Ownership(scopes.customer_owned)
# For large tables whose lists are cut by unit: or owner: the row carries its customer's, which the database keeps right.
customer_and_unit = Ownership(scopes.customer_owned, carries_unit=True)
# About a customer and never for it: the customer's own keys do not see the rows.
inside = Ownership(scopes.inside)
# About a member of staff, whom the column `staff_id` names.
person = Ownership(scopes.person)
# As visible as the row that it is about, which `any_of` links: see hub/model/subjects.py.
subject = Ownership(
    scopes.subject, carries_subject=True, description="The customer whom the subject belongs to.", index="not null"
)
# As that, and for the people and units that work on it: items, their steps, and what else is part of an item.
work_item = replace(subject, scope=item_scopes.work_item)
work_step = replace(subject, scope=item_scopes.work_step)
work_item_part = Ownership(item_scopes.work_item_part)
customer_itself = Ownership(scopes.customer_itself)
unit_itself = Ownership(scopes.unit_itself)
unit_owned = Ownership(scopes.unit_owned)
# Of the unit that `unit_id` names, and of the member of staff whom `staff_id` names.
unit_or_person = Ownership(work_scopes.unit_or_person)
issued_report = Ownership(work_scopes.issued_report)
every_unit = Ownership(scopes.every_unit)
any_key = Ownership(scopes.any_key)
administered = Ownership(scopes.administered)
key_owned = Ownership(scopes.key_owned, carries_key=True, description="The id of the key with whose rights it is sent.")
key_or_person = Ownership(work_scopes.key_or_person, carries_key=True, description="The id of the key that started it.")
role_itself = Ownership(scopes.role_itself)
role_owned = Ownership(scopes.role_owned)
administered = Ownership(scopes.administered)
