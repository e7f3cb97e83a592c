"""Draws whole operations: the n-th of a seed is always the same, whatever came before it."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

from graphql import FragmentDefinitionNode, GraphQLObjectType, GraphQLSchema, OperationDefinitionNode

from hub.engine.catalog.catalog import CatalogEntity, camel_case
from hub.engine.document.cost import CostModel
from hub.engine.document.limits import Limits
from hub.engine.graphql_types.schema_builder import RootField, Schema
from hub.model.declarations import MergedConnection, ToMany, ToOne
from oracle.data import DataRecord, Dataset, public_id
from oracle.generate import OperationDraw
from oracle.generate_fields import ResponseScope
from oracle.generate_lists import lookup_arguments
from oracle.generate_rows import RowSelectionGenerator
from oracle.mistakes import invalid_operation
from oracle.script import GeneratedOperation, ResponseReference, Step, parse_document

MISTAKE_PROBABILITY = 0.07
PAGING_PROBABILITY = 0.18
ROW_BUDGET = 240
MAX_COST = 2_500
MAX_STEPS = 5
# How much may be written: links cost 6, conditions 4.
MAX_SIZE = 78
# Where a paged list's arguments and selection are put.
ARGUMENTS_PLACEHOLDER, SELECTION_PLACEHOLDER = "@ARGUMENTS@", "@SELECTION@"


class OperationGenerator:
    """Operations over the rows that a viewer sees."""

    def __init__(self, graph: Schema, schema: GraphQLSchema, data: Dataset, now: datetime, seed: str) -> None:
        self.graph = graph
        self.schema = schema
        self.data = data
        self.now = now
        self.seed = seed
        self._cost_model = CostModel(graph.core, Limits())

    def operation(self, number: int) -> GeneratedOperation:
        """The operation of this number: the first of its draws that does not cost too much."""
        label = f"{self.seed}:{number}"
        candidates = (self._generate(label, f"{label} {attempt}") for attempt in count())
        return next(
            candidate for candidate in candidates if all(self._cost(step) <= MAX_COST for step in candidate.steps)
        )

    def _cost(self, step: Step) -> int:
        """What the engine will take the operation to cost."""
        document = parse_document(step.resolve([None] * MAX_STEPS).query)
        fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        operations = [
            definition for definition in document.definitions if isinstance(definition, OperationDefinitionNode)
        ]
        return max(
            self._cost_model.cost_of(definition, fragments).evaluate(step.variables) for definition in operations
        )

    def _generate(self, label: str, seed: str) -> GeneratedOperation:
        draw = OperationDraw(seed, self.schema, self.data, self.now)
        if draw.chance(MISTAKE_PROBABILITY, "mistake"):
            steps = invalid_operation(draw, self.graph)
        elif draw.chance(PAGING_PROBABILITY, "page: by cursor"):
            steps = _PagedListGenerator(draw, self.graph).steps()
        else:
            steps = [_RootFieldGenerator(draw, self.graph).step()]
        return GeneratedOperation(label, tuple(steps), frozenset(draw.features), draw.reads_rows)


class _RootFieldGenerator:
    """One document of one to four root fields."""

    def __init__(self, draw: OperationDraw, graph: Schema) -> None:
        self.draw = draw
        self.graph = graph
        self.row_selections = RowSelectionGenerator(draw)
        assert draw.schema.query_type is not None
        self.query: GraphQLObjectType = draw.schema.query_type
        self.scope = ResponseScope()

    def step(self) -> Step:
        count = self.draw.pick((1, 1, 1, 2, 2, 3))
        if count > 1:
            self.draw.record_features("several roots")
        self.draw.remaining_size = MAX_SIZE // count
        parts: list[str] = []
        for _ in range(count):
            parts.extend(self._root(ROW_BUDGET // count))
            self.draw.remaining_size += MAX_SIZE // count
        if self.draw.chance(0.08, "__typename"):
            parts.append(self.row_selections.fields.field(self.scope, self.query, "__typename"))
        return build_step(self.draw, self.row_selections.fields.wrap(self.query, parts))

    def _root(self, budget: int) -> list[str]:
        root_kinds = {"list": 0.5, "groups": 0.16, "one": 0.14, "lookup": 0.07, "node": 0.08, "nodes": 0.09}
        [root_kind] = self.draw.random.choices(list(root_kinds), list(root_kinds.values()))
        roots = [
            pair
            for pair in self.graph.roots.items()
            if pair[1].category == root_kind and self._has_lookup_rows(pair[1])
        ]
        roots = roots or [pair for pair in self.graph.roots.items() if pair[1].category == "list"]
        name, root = self.draw.pick([pair for pair in roots for _ in range(self._weight(pair[1].entity))])
        self.draw.record_features(f"root: {root.category}")
        if root.entity is None:
            return [self._node(name, root, budget)]
        rows = self.draw.rows_of_root(root.entity.name)
        if root.category == "list":
            return self.row_selections.list_field(
                self.scope, self.query, name, root.entity, rows, budget, 0, probability=0.75
            )
        witness = self.draw.pick(rows) if rows else None
        if root.category == "groups":
            arguments = self.row_selections.arguments.groups(root.entity, witness)
            return [
                self.row_selections.fields.field(
                    self.scope, self.query, name, arguments, partial(self._groups, root.entity, arguments["by"])
                )
            ]
        if root.category == "one":
            arguments = {"id": public_id(self.draw.data, witness) if witness else _absent_id(self.draw, root.entity)}
        else:
            lookup_input = lookup_arguments(self.draw, root.entity, witness)
            arguments = {camel_case(key): value for key, value in lookup_input.items()}
        return [self._one(name, root.entity, arguments, witness, budget)]

    def _weight(self, entity: CatalogEntity | None) -> int:
        """How often a type is asked for: seldom without rows, more often with what other types lack."""
        if entity is None or not self.draw.data.rows[entity.name]:
            return 1
        links = [self.draw.catalog.target(link.target) for link in entity.links.values() if isinstance(link, ToMany)]
        has_numbers = any(column.scalar.is_number for target in links for column in target.aggregable)
        has_json = any(column.scalar.name == "JSON" for column in entity.columns.values())
        type_ = self.row_selections.object_type(entity.name)
        has_resolver_arguments = any(type_.fields[name].args for name in entity.resolvers)
        # The more types there are, the rarer is what one alone has.
        rare = len(self.draw.catalog.entities) // 8
        is_known_by_codes = bool(self.draw.catalog.identifying(entity))
        has_tree = entity.declaration.tree is not None
        has_rare = has_json + has_resolver_arguments + is_known_by_codes + 2 * has_tree
        return 2 + rare * has_rare + bool(entity.declaration.search) + 4 * has_numbers

    def _has_lookup_rows(self, root: RootField) -> bool:
        lookup = root.lookup
        return lookup is None or bool(self.draw.data.rows[self.draw.data.type_of_table(lookup.table)])

    def _one(
        self, name: str, entity: CatalogEntity, arguments: dict[str, Any], hint: DataRecord | None, budget: int
    ) -> str:
        below = partial(self.row_selections.row_fields, entity, hint, budget, 1)
        return self.row_selections.fields.field(self.scope, self.query, name, arguments, below)

    def _node(self, name: str, root: RootField, budget: int) -> str:
        entities = self.draw.sample(list(self.graph.catalog.entities.values()), 1, 3)
        ids = []
        for entity in [*entities, self.draw.pick(list(self.graph.catalog.entities.values()))]:
            records = self.draw.rows_of_root(entity.name)
            missing = not records or self.draw.chance(0.1)
            ids.append(_absent_id(self.draw, entity) if missing else public_id(self.draw.data, self.draw.pick(records)))
        if root.category == "node":
            below = partial(self.row_selections.node, entities, budget, 1)
            return self.row_selections.fields.field(self.scope, self.query, name, {"id": ids[0]}, below)
        ids += ids[:1] * self.draw.chance(0.3)
        below = partial(self.row_selections.node, entities, budget // len(ids), 1)
        return self.row_selections.fields.field(self.scope, self.query, name, {"ids": ids}, below)

    def _groups(self, entity: CatalogEntity, by: Sequence[dict[str, Any]], scope: ResponseScope) -> str:
        fields, groups_type = (
            self.row_selections.fields,
            self.row_selections.object_type(f"{entity.name}GroupConnection"),
        )
        parts = [fields.field(scope, groups_type, "totalCount")] if self.draw.chance(0.4) else []
        parts.append(fields.field(scope, groups_type, "nodes", None, partial(self._group, entity, by)))
        if self.draw.chance(0.3):
            info = self.row_selections.object_type("PageInfo")
            names = [
                fields.field(
                    scope,
                    groups_type,
                    "pageInfo",
                    None,
                    lambda inner: fields.selection_set(
                        [fields.field(inner, info, name) for name in ("hasNextPage", "hasPreviousPage")]
                    ),
                )
            ]
            parts += names
        return fields.selection_set(parts)

    def _group(self, entity: CatalogEntity, by: Sequence[dict[str, Any]], scope: ResponseScope) -> str:
        fields, group_type = self.row_selections.fields, self.row_selections.object_type(f"{entity.name}Group")
        stats = partial(self.row_selections.stats, self.row_selections.object_type(f"{entity.name}Stats"))
        parts = [
            fields.field(scope, group_type, "key", None, partial(self._group_key, entity, by)),
            fields.field(scope, group_type, "stats", None, stats),
        ]
        return fields.selection_set(parts)

    def _group_key(self, entity: CatalogEntity, by: Sequence[dict[str, Any]], scope: ResponseScope) -> str:
        """Leaves of the key, and the keys behind the links that the rows are grouped by."""
        fields, key_type = self.row_selections.fields, self.row_selections.object_type(f"{entity.name}GroupKey")
        parts = fields.leaves(scope, key_type, 2, 6)
        groupings: dict[str, list[dict[str, Any]]] = {}
        for grouping in by:
            for name, inner in grouping.get("link", {}).items():
                groupings.setdefault(name, []).append(inner)
        for name, inner_groupings in groupings.items():
            link = entity.links[name]
            assert isinstance(link, ToOne)
            target = self.graph.catalog.target(link.target)
            below = partial(self._group_key, target, inner_groupings)
            parts.append(fields.field(scope, key_type, name, None, below))
        return fields.selection_set(parts)


class _PagedListGenerator:
    """One list, read page by page in both directions, with cursors as variables or as literals."""

    def __init__(self, draw: OperationDraw, graph: Schema) -> None:
        self.draw = draw
        self.roots = _RootFieldGenerator(draw, graph)
        self.row_selections = self.roots.row_selections

    def steps(self) -> list[Step]:
        path, parts = self._list()
        info = "pageInfo { startCursor endCursor hasNextPage hasPreviousPage } edges { cursor node { id } }"
        pages = self._page_arguments(path)
        literal = self.draw.chance(0.5, "cursor: literal")
        if not literal:
            self.draw.record_features("cursor: variable")
            types = {"first": "Int", "last": "Int", "after": "Cursor", "before": "Cursor"}
            names = {name: self.draw.declare(type_, None, supplied=False) for name, type_ in types.items()}
            text = ", ".join(f"{name}: {variable}" for name, variable in names.items())
            step = build_step(self.draw, [_fill_placeholders(parts, text, info)])
            argument_names = {variable: name for name, variable in ((n, v[1:]) for n, v in names.items())}
            return [
                Step(step.query, step.variables | {v: page.get(n) for v, n in argument_names.items()}, step.name)
                for page in pages
            ]
        steps = []
        for page in pages:
            references = [value for value in page.values() if isinstance(value, ResponseReference)]
            text = ", ".join(
                f"{name}: " + (f"@@{references.index(value)}@@" if isinstance(value, ResponseReference) else str(value))
                for name, value in page.items()
            )
            step = build_step(self.draw, [_fill_placeholders(parts, text, info)])
            steps.append(Step(step.query, step.variables, step.name, tuple(references)))
        return steps

    def _page_arguments(self, path: tuple[str, ...]) -> list[dict[str, Any]]:
        """Page arguments, one set a step; each later one begins where an earlier one was."""
        pages: list[dict[str, Any]] = [{self.draw.pick(("first", "first", "last")): self.draw.random.randint(2, 7)}]
        for step in range(self.draw.random.randint(1, 3)):
            cursors = [
                ResponseReference(step, (*path, "pageInfo", "endCursor")),
                ResponseReference(step, (*path, "pageInfo", "startCursor")),
            ]
            cursors.append(
                ResponseReference(
                    self.draw.random.randint(0, step), (*path, "edges", self.draw.random.randint(0, 3), "cursor")
                )
            )
            page: dict[str, Any] = {self.draw.pick(("first", "last")): self.draw.random.randint(1, 6)}
            if pages[-1].get("last"):
                cursors.reverse()
            [direction] = self.draw.random.choices(("after", "before", "both"), (5, 4, 1))
            self.draw.record_features(
                *(["page: after"] * (direction != "before") + ["page: before"] * (direction != "after"))
            )
            if direction != "before":
                page["after"] = self.draw.pick((cursors[0], cursors[0], *cursors))
            if direction != "after":
                page["before"] = self.draw.pick((cursors[1], *cursors))
            pages.append(page)
        return pages

    def _list(self) -> tuple[tuple[str, ...], str]:
        """Where the list stands in the answer, and its field with marks where arguments and selection go."""
        name, root = self.draw.pick(
            [(name, root) for name, root in self.roots.graph.roots.items() if root.category == "list"]
        )
        assert root.entity is not None
        entity, rows = root.entity, self.draw.rows_of_root(root.entity.name)
        links = [
            (candidate, link) for candidate, link in entity.links.items() if isinstance(link, ToMany | MergedConnection)
        ]
        if not links or self.draw.chance(0.6) or not rows:
            return (name,), self._field(self.roots.query, name, entity, rows)
        owner = max(self.draw.sample(rows, 1, 6), key=lambda candidate: self._linked_count(links, candidate))
        link_name, link = max(links, key=lambda pair: self._linked_count([pair], owner) * self.draw.random.random())
        parent = self.row_selections.object_type(entity.name)
        single = entity.declaration.singular
        if isinstance(link, MergedConnection):
            field = f"{link_name}({ARGUMENTS_PLACEHOLDER}) {{ totalCount {SELECTION_PLACEHOLDER} }}"
            self.draw.record_features("timeline")
        else:
            target = self.draw.catalog.target(link.target)
            linked = self.draw.data.linked(target.name, link.by, owner["id"])
            field = self._field(parent, link_name, target, linked)
        return (single, link_name), f'{single}(id: "{public_id(self.draw.data, owner)}") {{ {field} }}'

    def _linked_count(self, links: Sequence[tuple[str, Any]], owner: DataRecord) -> int:
        total = 0
        for _, link in links:
            catalog = self.draw.catalog
            merged = isinstance(link, MergedConnection)
            targets = catalog.implementing(link.interface.name) if merged else [catalog.target(link.target)]
            total += sum(len(self.draw.data.linked(target.name, link.by, owner["id"])) for target in targets)
        return total

    def _field(self, parent: GraphQLObjectType, name: str, entity: CatalogEntity, rows: Sequence[DataRecord]) -> str:
        argument_values = self.row_selections.arguments.list_arguments(
            entity, self.draw.pick(rows) if rows else None, 10, probability=0.4
        )
        argument_values = {key: value for key, value in argument_values.items() if key not in ("first", "last")}
        # Of a filter, only what leaves several rows is worth paging through.
        if "filter" in argument_values and rows:
            test = self.draw.filter_evaluator.record_test(entity, argument_values["filter"])
            if sum(map(test, rows)) < 3:
                del argument_values["filter"]
        arguments = [
            f"{key}: {self.draw.write(value, parent.fields[name].args[key].type)}"
            for key, value in argument_values.items()
        ]
        scope = ResponseScope({key: ("", ResponseScope()) for key in ("id", "edges", "pageInfo")})
        entry = partial(self.row_selections.row_fields, entity, None, 20, 3)
        below = self.row_selections.fields.field(
            scope, self.row_selections.object_type(f"{entity.name}Connection"), "nodes", None, entry
        )
        return f"{name}({', '.join([*arguments, ARGUMENTS_PLACEHOLDER])}) {{ {below} {SELECTION_PLACEHOLDER} }}"


def _fill_placeholders(text: str, arguments: str, selection: str) -> str:
    return text.replace(ARGUMENTS_PLACEHOLDER, arguments).replace(SELECTION_PLACEHOLDER, selection)


def _absent_id(draw: OperationDraw, entity: CatalogEntity) -> str:
    """A well-formed id that no row has."""
    return f"{entity.declaration.prefix}_{UUID(int=draw.random.getrandbits(128)).hex}"


def build_step(draw: OperationDraw, parts: Sequence[str]) -> Step:
    """The operation with its fragments, named or not, alone or beside another."""
    name = "Selected" if draw.chance(0.3, "operation: named") else None
    fragments = list(draw.fragments)
    draw.random.shuffle(fragments)
    texts = [f"{draw.header(name)} {{ {' '.join(parts)} }}", *fragments]
    if name and draw.chance(0.4, "operation: one of several"):
        texts.insert(0, "query Other { __typename }")
    elif name:
        name = name if draw.chance(0.5) else None
    return Step("\n".join(texts), dict(draw.variables), name)
