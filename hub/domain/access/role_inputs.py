"""Inputs of roleUpsert: rules as people write them become rules as the hub applies them, or an error that names the fault."""

from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple, Protocol

from hub.client_limits import CostBudget
from hub.domain.access.shipped_roles import canonical_json
from hub.errors import BadInput
from hub.model.columns import DescribedEnum
from hub.rights import AccessRule, Mask, Verb

MAX_POINTS = 1_000_000_000


class RuleVerb(DescribedEnum):
    """What a rule lets the holders of a role do with rows."""

    READ = "READ", "Read them, in every way that the API has."
    CREATE = "CREATE", "Create them; needs READ. The new row must match the rule's filter."
    UPDATE = "UPDATE", "Change them; needs READ. The row must match the filter before and after."
    DELETE = "DELETE", "Delete them; needs READ."


class FieldMask(DescribedEnum):
    """How the value of a masked field is shown. It can be neither filtered, sorted nor aggregated."""

    NULL = "NULL", "Nothing; for fields that may be null."
    REDACTED = "REDACTED", "Three asterisks."
    INITIAL = "INITIAL", "The first character and three asterisks."
    LAST_FOUR = "LAST_FOUR", "Three asterisks and the last four characters, of texts with at least eight."
    DOMAIN = "DOMAIN", "Three asterisks and the part from the last @ on."
    YEAR = "YEAR", "The first day of the year, of a date or a time."


class RoleMaskInput(NamedTuple):
    """A field whose value is masked."""

    field: Annotated[str, "Name of the field."]
    mask: Annotated[FieldMask, "How its value is shown."]


class RoleRuleInput(NamedTuple):
    """What a role lets its holders do with the rows of one type."""

    entity: Annotated[str, "Name of the type: `Customer`."]
    verbs: Annotated[list[RuleVerb], "What they may do with its rows."]
    row_filter: Annotated[
        dict[str, object] | None,
        "Filter of its rows; $staff, $units and $customer in it are the viewer's. All rows if left out.",
    ] = None
    fields: Annotated[list[str] | None, "Names of the fields that can be read; all if left out."] = None
    writable: Annotated[
        list[str] | None, "Names of the fields that can be written; those that are read unmasked if left out."
    ] = None
    masks: Annotated[list[RoleMaskInput] | None, "Fields whose values are masked."] = None
    aggregate_only: Annotated[bool, "Whether only counts and statistics can be read."] = False


class RoleBudgetInput(NamedTuple):
    """How much a key with the role may ask for, in points of cost."""

    capacity: Annotated[int, "Points that a key has when it was idle for long; 0 for no budget."]
    refill_per_second: Annotated[int, "Points that it gets back in a second."] = 1


class RuleChecker(Protocol):
    """What the engine knows of roles; RoleChecker in hub/engine/roles/checks.py implements it."""

    def check_rule(self, rule: AccessRule, argument: str) -> None:
        """Raises BadInput for an unknown type, field or mask, and for a filter that cannot be planned."""

    def check_commands(self, names: Iterable[str], argument: str) -> None:
        """Raises BadInput for a name that is no command's."""


def read_rules(inputs: Sequence[RoleRuleInput], checker: RuleChecker) -> dict[str, AccessRule]:
    """The rules by type; raises BadInput with the path of the argument."""
    rules: dict[str, AccessRule] = {}
    for index, rule_input in enumerate(inputs):
        argument = f"rules[{index}]"
        rule = _read_rule(rule_input, argument)
        checker.check_rule(rule, argument)
        if rule.entity in rules:
            raise invalid(f"{argument}.entity", f"there is a rule for {rule.entity} already; join the two")
        rules[rule.entity] = rule
    return rules


def _read_rule(rule: RoleRuleInput, argument: str) -> AccessRule:
    verbs = frozenset(Verb(verb.value.lower()) for verb in rule.verbs)
    if not verbs:
        raise invalid(f"{argument}.verbs", "the rule grants nothing; name a verb, or leave the rule out")
    if Verb.READ not in verbs:
        raise invalid(f"{argument}.verbs", "who writes rows must read them; add READ")
    if rule.aggregate_only and verbs != {Verb.READ}:
        raise invalid(f"{argument}.aggregate_only", "rows that are only counted cannot be written; grant READ alone")
    return AccessRule(
        rule.entity,
        verbs,
        None if rule.row_filter is None else canonical_json(rule.row_filter),
        None if rule.fields is None else frozenset(rule.fields),
        frozenset((entry.field, Mask(entry.mask.value.lower())) for entry in rule.masks or ()),
        rule.aggregate_only,
        None if rule.writable is None else frozenset(rule.writable),
    )


def read_budget(budget: RoleBudgetInput) -> CostBudget | None:
    """The budget; None for one without points."""
    for name, points in (("capacity", budget.capacity), ("refill_per_second", budget.refill_per_second)):
        if not (name == "capacity" and points == 0) and not 1 <= points <= MAX_POINTS:
            raise invalid(f"budget.{name}", f"give 1 to {MAX_POINTS:,} points")
    return CostBudget(budget.capacity, budget.refill_per_second) if budget.capacity else None


def invalid(argument: str, fault_and_remedy: str) -> BadInput:
    """The refusal of a part of a role."""
    return BadInput(f"{argument}: {fault_and_remedy}.", code="ROLE_INVALID", argument=argument)
