"""The vocabulary of declarations: everything that a file in schema/ imports. See EntityOptions, field and to_one."""

from hub.model.clock_rules import ClockRule
from hub.model.columns import DescribedEnum
from hub.model.declarations import TIMELINE
from hub.model.definition import current_by, unique
from hub.model.entity import Entity
from hub.model.fields import (
    GLOBAL,
    NOW,
    WITHIN_CUSTOMER,
    WITHIN_VISIBLE,
    Column,
    copied,
    field,
    generated,
    normal_form,
    stored_filter,
)
from hub.model.lasting import never_two
from hub.model.links import SELF, any_of, filtered, group, index, merged, resolver, to_one, union
from hub.model.ownership import (
    administered,
    any_key,
    customer_and_unit,
    customer_itself,
    customer_owned,
    every_unit,
    inside,
    issued_report,
    key_owned,
    person,
    role_itself,
    role_owned,
    subject,
    unit_itself,
    unit_or_person,
    unit_owned,
)
from hub.model.personal import PersonalData
from hub.model.root_groups import RootGroup, root_group, viewer_list, viewer_object, viewer_row, viewer_value
from hub.model.scalars import Json, MoneyAmount
from hub.model.workflows import ANY, Workflow, move, state

__all__ = [
    "ANY",
    "GLOBAL",
    "NOW",
    "SELF",
    "TIMELINE",
    "WITHIN_CUSTOMER",
    "WITHIN_VISIBLE",
    "ClockRule",
    "Column",
    "DescribedEnum",
    "Entity",
    "Json",
    "MoneyAmount",
    "PersonalData",
    "RootGroup",
    "Workflow",
    "administered",
    "any_key",
    "any_of",
    "copied",
    "current_by",
    "customer_and_unit",
    "customer_itself",
    "customer_owned",
    "every_unit",
    "field",
    "filtered",
    "generated",
    "group",
    "index",
    "inside",
    "issued_report",
    "key_owned",
    "merged",
    "move",
    "never_two",
    "normal_form",
    "person",
    "resolver",
    "role_itself",
    "role_owned",
    "root_group",
    "state",
    "stored_filter",
    "subject",
    "to_one",
    "union",
    "unique",
    "unit_itself",
    "unit_or_person",
    "unit_owned",
    "viewer_list",
    "viewer_object",
    "viewer_row",
    "viewer_value",
]
