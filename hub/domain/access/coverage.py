"""Whether roles that are held cover another role, so that their holder may grant it. Nothing here reads the database.

Parts of several roles are never put together: one role that is held must grant the whole of each rule."""

import json
from collections.abc import Iterable, Mapping, Sequence

from hub import schema
from hub.rights import CUSTOMER, STAFF, UNITS, AccessRule, RoleVersion, Verb

READ_ALONE = frozenset({Verb.READ})
CONNECTIVES = frozenset({"and", "or", "not"})


def excess(held: Sequence[RoleVersion], role: RoleVersion) -> str | None:
    """What a role grants beyond those that are held, in words; None for nothing."""
    if role.administers and not any(own.administers for own in held):
        return "administration"
    if role.introspects and not any(own.introspects for own in held):
        return "the schema"
    if any(own.rules is None and own.writes for own in held):
        return None
    if role.rules is None:
        readers = any(own.rules is None for own in held)
        return None if readers and not role.writes else "every type"
    for rule in role.rules.values():
        if not any(_covers(own, role, rule) for own in held):
            return rule.entity
    for name in sorted(role.run or ()):
        if not _runs_on(held, name, role.rules.values()):
            return f"the command {name}"
    return None


def _runs_on(held: Sequence[RoleVersion], command: str, rules: Iterable[AccessRule]) -> bool:
    """Whether the command may be run by name on all the rows that the rules show."""
    runners = [own for own in held if command in (own.run or ())]
    return bool(runners) and all(any(_shows(runner, rule) for runner in runners) for rule in rules)


def _covers(own: RoleVersion, role: RoleVersion, rule: AccessRule) -> bool:
    """Whether a role that is held grants all that another role's rule does."""
    if not _shows(own, rule):
        return False
    if rule.verbs == READ_ALONE:
        return True
    if own.rules is None:
        return False
    own_rule = own.rules[rule.entity]
    if not rule.verbs <= own_rule.verbs or not _covers_written(own_rule, rule):
        return False
    # Without a list, a role runs every command that its verbs imply; with one, those of the list alone.
    return role.run is not None or own.run is None


def _shows(own: RoleVersion, rule: AccessRule) -> bool:
    """Whether a role that is held shows all rows and fields that a rule shows."""
    if own.rules is None:
        return True
    own_rule = own.rules.get(rule.entity)
    if own_rule is None or Verb.READ not in own_rule.verbs or (own_rule.aggregate_only and not rule.aggregate_only):
        return False
    if own_rule.fields is not None and (rule.fields is None or not rule.fields <= own_rule.fields):
        return False
    masks = {(name, mask) for name, mask in own_rule.masks if rule.fields is None or name in rule.fields}
    return masks <= rule.masks and _shows_rows(own, own_rule, rule)


def _shows_rows(own: RoleVersion, own_rule: AccessRule, rule: AccessRule) -> bool:
    """Whether a rule's rows are among those of the rule that is held, and its filter tells nothing that this one hides.

    A filter that names the viewer shows every holder other rows."""
    if own_rule.row_filter is None:
        return rule.row_filter is None or _reads_everything(own) or _names_readable(own_rule, rule.row_filter)
    return own_rule.row_filter == rule.row_filter and not any(
        f'"{name}"' in own_rule.row_filter for name in (STAFF, UNITS, CUSTOMER)
    )


def _reads_everything(own: RoleVersion) -> bool:
    """Whether a role shows all rows and fields of every type."""
    rules = own.rules or {}
    return all(
        entity.__name__ in rules
        and rules[entity.__name__].row_filter is None
        and not rules[entity.__name__].narrows_fields
        for entity in schema.entities()
    )


def _names_readable(own_rule: AccessRule, row_filter: str) -> bool:
    """Whether a filter names nothing but columns that the rule shows as they are, and links by their ids."""
    if own_rule.aggregate_only:
        return False
    return all(_is_readable(own_rule, name, value) for name, value in _conditions(json.loads(row_filter)))


def _is_readable(own_rule: AccessRule, name: str, value: object) -> bool:
    if own_rule.fields is not None and name not in own_rule.fields and name != "id":
        return False
    if any(name == masked for masked, _ in own_rule.masks):
        return False
    # Conditions on other types, and on counts of linked rows, could tell what the rules of those types hide.
    if isinstance(value, Mapping) and set(value) == {"id"}:
        value = value["id"]
    return isinstance(value, Mapping) and not any(isinstance(operand, Mapping) for operand in value.values())


def _conditions(row_filter: object) -> Iterable[tuple[str, object]]:
    """The conditions of a filter by the fields that they name, below `and`, `or` and `not`."""
    if isinstance(row_filter, list):
        for part in row_filter:
            yield from _conditions(part)
    elif isinstance(row_filter, Mapping):
        for name, value in row_filter.items():
            if name in CONNECTIVES:
                yield from _conditions(value)
            else:
                yield name, value


def _covers_written(own_rule: AccessRule, rule: AccessRule) -> bool:
    """Whether all columns that a rule lets its holders write are among those of the rule that is held."""
    names = rule.fields if rule.writable is None else rule.writable
    if names is None:
        return own_rule.writable is None
    masked = {name for name, _ in rule.masks} if rule.writable is None else set()
    return all(own_rule.may_write(name) for name in names - masked)
