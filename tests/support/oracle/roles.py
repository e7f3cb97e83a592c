"""Random roles, and what they leave of a dataset by plain walks: rows that a filter meets, values that a mask shows."""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from hub.engine.catalog.catalog import Catalog, CatalogEntity, ColumnField
from hub.engine.catalog.narrowing import mask_fits
from hub.engine.graphql_types.inputs import groupable
from hub.engine.graphql_types.narrowed_schema import narrow
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.row_filters import plan_row_filter
from hub.errors import HubError
from hub.rights import CUSTOMER, STAFF, UNITS, AccessRule, Mask, RoleVersion, Verb
from hub.text_case import camel_case
from hub.viewer import Viewer
from oracle.conditions import FilterEvaluator
from oracle.data import HIDDEN_LINKS, UNMASKED, DataRecord, Dataset
from oracle.executor import Oracle
from oracle.generate import OperationDraw
from oracle.generate_filters import FilterGenerator

FIGURES = ("count", "sum", "avg", "min", "max", "every")
ALWAYS_GRANTED = ("createdAt", "version")
MASKS: dict[Mask, Callable[[Any], Any]] = {
    Mask.NULL: lambda value: None,
    Mask.REDACTED: lambda value: "***",
    Mask.INITIAL: lambda value: value[:1] + "***",
    Mask.LAST_FOUR: lambda value: "***" + (value[-4:] if len(value) >= 8 else ""),
    Mask.DOMAIN: lambda value: "***" + (value[value.rindex("@") :] if "@" in value else ""),
    Mask.YEAR: lambda value: (
        value.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
        if isinstance(value, datetime)
        else date(value.year, 1, 1)
    ),
}


def random_role(number: int, oracle: Oracle, now: datetime, seed: str) -> RoleVersion:
    """A role that grants most entities, with filters, fields and masks at random."""
    rng = random.Random(f"{seed} role {number}")
    entities = list(oracle.graph.catalog.entities.values())
    rules = [_random_rule(rng, oracle, entity, now) for entity in entities if rng.random() < 0.85]
    return RoleVersion(f"random{number}", 1, {rule.entity: rule for rule in rules})


def _random_rule(rng: random.Random, oracle: Oracle, entity: CatalogEntity, now: datetime) -> AccessRule:
    fields: frozenset[str] | None = None
    always = {*ALWAYS_GRANTED, *(column.name for column in groupable(entity)[:1])}
    names = [*entity.columns, *entity.links, *entity.groups, *entity.resolvers, "history"]
    if rng.random() < 0.5:
        fields = frozenset({*always, *(name for name in names if rng.random() < 0.7)})
    masks = [
        (column.name, rng.choice([mask for mask in Mask if mask_fits(mask, column)]))
        for column in entity.columns.values()
        if column.name not in always and (fields is None or column.name in fields) and rng.random() < 0.15
    ]
    text = _random_filter(rng, oracle, entity, now) if rng.random() < 0.6 else None
    counted = rng.random() < 0.12
    return AccessRule(entity.name, row_filter=text, fields=fields, masks=frozenset(masks), aggregate_only=counted)


def _random_filter(rng: random.Random, oracle: Oracle, entity: CatalogEntity, now: datetime) -> str | None:
    """A filter that some row meets, without a relative time and without figures, which cost too much in every condition."""
    rows = oracle.data.rows[entity.name]
    for _ in range(8):
        draw = OperationDraw(str(rng.random()), oracle.schema, oracle.data, now)
        value = FilterGenerator(draw).filter_for(entity, rng.choice(rows) if rows else None, depth=1)
        try:
            text = json.dumps(value)
            if value and not any(f'"{name}"' in text for name in FIGURES):
                plan_row_filter(oracle.graph, entity, text)
                return text
        except (HubError, TypeError):
            continue
    return None


def rules_of(viewer: Viewer, name: str) -> list[AccessRule]:
    """The rules of the viewer's roles by which it reads an entity: those that grant rows, else those of aggregates."""
    rules = [role.rules[name] for role in viewer.all_roles if role.rules and name in role.rules]
    reading = [rule for rule in rules if Verb.READ in rule.verbs]
    return [rule for rule in reading if not rule.aggregate_only] or reading


def lets_write(rule: AccessRule, column: str) -> bool:
    """Whether a rule lets a column be written: it says so, or else shows it as it is. A link stands for its column."""
    name = camel_case(column)
    names = {name, name[:-2]} if name.endswith("Id") else {name}
    if rule.writable is not None:
        return bool(names & rule.writable)
    shown = rule.fields is None or bool(names & rule.fields)
    return shown and not any(masked in names for masked, _ in rule.masks)


def rules_for(viewer: Viewer, entity: CatalogEntity, verbs: Iterable[Verb]) -> list[AccessRule]:
    """The rules of the viewer's roles that grant one of the verbs."""
    own = [role.rules.get(entity.name) for role in viewer.all_roles if role.rules is not None]
    return [rule for rule in own if rule is not None and rule.verbs & set(verbs)]


def rule_test(
    rule: AccessRule, viewer: Viewer, evaluator: FilterEvaluator, catalog: Catalog
) -> Callable[[DataRecord], bool]:
    """Whether a rule grants a row: the row meets its filter, in which strings stand for what the viewer is."""
    if rule.row_filter is None:
        return lambda record: True
    values: dict[str, list[str]] = {
        STAFF: [_id(catalog, "Staff", viewer.staff_id)] if viewer.staff_id else [],
        UNITS: [_id(catalog, "OrgUnit", key) for key in viewer.unit_ids],
        CUSTOMER: [_id(catalog, "Customer", viewer.customer_id)] if viewer.customer_id else [],
    }
    if any(f'"{name}"' in rule.row_filter and not ids for name, ids in values.items()):
        return lambda record: False
    return evaluator.record_test(catalog.entities[rule.entity], _with_values(json.loads(rule.row_filter), values))


def pair_test(viewer: Viewer, whole: Dataset, evaluator: FilterEvaluator) -> Callable[[DataRecord], bool]:
    """Whether the viewer's roles show both customers of a row about two, as they are now."""
    rules = rules_of(viewer, "Customer")
    if any(rule.row_filter is None for rule in rules):
        return lambda record: True
    tests = [rule_test(rule, viewer, evaluator, whole.catalog) for rule in rules]
    customers = {record["id"] for record in whole.rows["Customer"] if any(test(record) for test in tests)}
    return lambda record: {record["customer_id"], record["other_id"]} <= customers


def _id(catalog: Catalog, name: str, key: UUID) -> str:
    return f"{catalog.entities[name].declaration.prefix}_{key.hex}"


def _with_values(part: Any, values: Mapping[str, Sequence[str]]) -> Any:
    if isinstance(part, dict):
        return {
            key: list(values[value])
            if key in ("in", "notIn") and isinstance(value, str) and value in values
            else _with_values(value, values)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_with_values(item, values) for item in part]
    return values[part][0] if isinstance(part, str) and part in values else part


class RoleDataset(Dataset):
    """All rows, of which a viewer sees a part, and of that the columns and links that it may know."""

    def __init__(self, data: Dataset, schema: Schema, now: datetime) -> None:
        super().__init__(schema.catalog, data.rows)
        self._whole = data
        self._now = now

    def visible_to(self, viewer: Viewer) -> Dataset:
        """The rows that the binding and one of the roles' rules show, with masks in place of values."""
        if viewer not in self._visible:
            bound = self._whole.visible_to(viewer)
            rows = {name: bound.rows[name] for name in self.catalog.entities}
            if all(role.rules is not None for role in viewer.all_roles):
                evaluator = FilterEvaluator(self._whole, self._now)
                rows = {
                    name: list(self._shown(rows[name], self._whole.catalog.entities[name], viewer, evaluator))
                    for name in self.catalog.entities
                }
                shows_both = pair_test(viewer, self._whole, evaluator)
                for name, entity in self.catalog.entities.items():
                    if entity.declaration.scope.name == "pair":
                        rows[name] = [record for record in rows[name] if shows_both(record)]
            self._visible[viewer] = Dataset(self.catalog, rows)
        return self._visible[viewer]

    def may_update(self, record: DataRecord, column: str, viewer: Viewer) -> bool:
        """Whether the rules of the viewer's roles for changes let it write a column of this row; without rules, yes."""
        entity = self._whole.catalog.entities[record["$type"]]
        rules = rules_for(viewer, entity, [Verb.UPDATE])
        row = self._whole.get(entity.name, record["id"])  # without masks
        assert row is not None
        evaluator = FilterEvaluator(self._whole, self._now)
        tests = ((rule, rule_test(rule, viewer, evaluator, self._whole.catalog)) for rule in rules)
        return not rules or any(lets_write(rule, column) and test(row) for rule, test in tests)

    def _shown(
        self, rows: Sequence[DataRecord], entity: CatalogEntity, viewer: Viewer, evaluator: FilterEvaluator
    ) -> list[DataRecord]:
        rules = rules_of(viewer, entity.name)
        tests = [rule_test(rule, viewer, evaluator, self._whole.catalog) for rule in rules]
        shown = []
        for record in rows:
            granting = [rule for rule, test in zip(rules, tests, strict=True) if test(record)]
            if granting:
                shown.append(masked(record, entity, granting))
        return shown


def masked(record: DataRecord, entity: CatalogEntity, rules: Sequence[AccessRule]) -> DataRecord:
    """The record with what the rules that grant its row show of each column."""
    values = dict(record)
    for column in entity.columns.values():
        value = _cell(column, record[column.column.name], rules)
        if value is not record[column.column.name]:
            values[column.column.name] = value
    for link in entity.links.values():
        if (type_column := getattr(link, "type_column", None)) is not None:
            values[f"{UNMASKED}{type_column}"] = record[type_column]
    hidden = {name for name in (*entity.links, *entity.groups) if not any(grants(rule, name) for rule in rules)}
    return values | ({HIDDEN_LINKS: hidden} if hidden else {})


def grants(rule: AccessRule, name: str) -> bool:
    return rule.fields is None or name in rule.fields


def _cell(column: ColumnField, value: Any, rules: Sequence[AccessRule]) -> Any:
    granting = [rule for rule in rules if grants(rule, column.name)]
    masks = [dict(rule.masks).get(column.name) for rule in granting]
    if not masks:
        return None
    if None in masks or value is None:
        return value
    visible = sorted(mask for mask in masks if mask is not None and mask is not Mask.NULL)
    return MASKS[visible[0]](value) if visible else None


def role_oracle(oracle: Oracle, viewer: Viewer, now: datetime) -> Oracle:
    """The oracle of a viewer whose roles or binding hide names: of the names that it may know, over the rows that it may see."""
    narrowed = narrow(oracle.graph, viewer.rights)
    if narrowed.core not in oracle.narrowed:
        assert narrowed.core.query_type is not None
        names = narrowed.core.query_type.fields.keys()
        entities = narrowed.catalog.entities
        roots = {
            name: replace(root, entity=entities[root.entity.name]) if root.entity else root
            for name, root in narrowed.roots.items()
            if name in names
        }
        graph = replace(narrowed, roots=roots)
        oracle.narrowed[narrowed.core] = Oracle(graph, RoleDataset(oracle.data, graph, now), oracle.graph.core)
    return oracle.narrowed[narrowed.core]
