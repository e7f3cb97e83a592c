"""Operations over all of a schema, made from its declarations: every root, link, figure, order, group, search and node.

Meant for bound keys: wherever a hidden row could show, be counted, found, summed or sorted by, one of these looks."""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_leaf_type, is_required_argument

from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.graphql_types.inputs import groupable
from hub.model.declarations import ToMany, ToOne, UnionLink
from hub.viewer import Viewer
from oracle.data import DataRecord, Dataset, non_null_values, public_id
from oracle.executor import Oracle
from oracle.generate_rows import ARGUMENT_VALUES
from oracle.script import GeneratedOperation, ResponseReference, Step
from oracle.values import timestamp_text

ROOTS_PER_DOCUMENT = 4
PAGE_SELECTION = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } }"


def enumerate_operations(
    oracle: Oracle, viewer: Viewer, now: datetime, seed: str, roots_per_document: int = ROOTS_PER_DOCUMENT
) -> Iterator[GeneratedOperation]:
    """All operations for a viewer, each with a label that says what it looks at."""
    yield from _OperationEnumerator(oracle, viewer, seed, roots_per_document).operations()


class _OperationEnumerator:
    def __init__(self, oracle: Oracle, viewer: Viewer, seed: str, roots_per_document: int) -> None:
        self.roots_per_document = roots_per_document
        self.all_data: Dataset = oracle.data
        self.visible_data: Dataset = oracle.data.visible_to(viewer)
        self.catalog = oracle.graph.catalog
        self.schema = oracle.schema
        self.rng = random.Random(f"{seed} walk")

    def operations(self) -> Iterator[GeneratedOperation]:
        for entity in self.catalog.entities.values():
            if not entity.aggregate_only:
                yield from self._lists(entity)
                for name in entity.links:
                    yield from self._link(entity, name)
                yield from self._batched(f"{entity.name} roots", list(self._roots(entity)))
            yield from self._batched(f"{entity.name} filters", list(self._filters(entity)))
            yield from self._batched(f"{entity.name} groups", list(self._groups(entity)))
            if entity.aggregate_only:
                yield from self._batched(f"{entity.name} count", [self._filtered_list(entity, "{}")])
                continue
            yield from self._batched(f"{entity.name} orders", list(self._orders(entity)))
            yield from self._group_pages(entity)
        yield from self._me()
        for number, field in enumerate(self._nodes()):  # all types at one key: a document compares no more fields
            yield GeneratedOperation(f"nodes {number}", (Step(f"{{ r0: {field} }}"),))

    def _batched(self, label: str, fields: Sequence[str]) -> Iterator[GeneratedOperation]:
        """Root fields, a few to a document."""
        for start in range(0, len(fields), self.roots_per_document):
            page = fields[start : start + self.roots_per_document]
            parts = [f"r{index}: {field}" for index, field in enumerate(page)]
            yield GeneratedOperation(f"{label} {start}", (Step("{ " + " ".join(parts) + " }"),))

    # -- selections -----------------------------------------------------------------------------------------------------

    def _leaves(self, entity: CatalogEntity) -> str:
        """Every field of a row that is no link, resolver fields too, with the arguments that must be."""
        parts = ["__typename"]
        for name, field in self._object_type(entity.name).fields.items():
            if is_leaf_type(get_named_type(field.type)):
                parts.append(name + self._required_arguments(field))
            elif name in entity.resolvers:
                parts.append(f"{name} {{ id }}")
        return " ".join(parts)

    def _required_arguments(self, field: GraphQLField) -> str:
        """Values of the arguments without which the field cannot stand."""
        required = {name: argument for name, argument in field.args.items() if is_required_argument(argument)}
        values = (
            f"{name}: {json.dumps(self.rng.choice(ARGUMENT_VALUES[get_named_type(argument.type).name]))}"
            for name, argument in required.items()
        )
        return f"({', '.join(values)})" if required else ""

    def _object_type(self, name: str) -> GraphQLObjectType:
        type_ = self.schema.type_map[name]
        assert isinstance(type_, GraphQLObjectType)
        return type_

    def _stats(self, entity: CatalogEntity) -> str:
        """All figures."""
        parts = []
        for name, field in self._object_type(f"{entity.name}Stats").fields.items():
            field_type = get_named_type(field.type)
            if isinstance(field_type, GraphQLObjectType):
                inner = (
                    f"{n} {{ amount currency }}" if "Money" in str(f.type) else n for n, f in field_type.fields.items()
                )
                parts.append(f"{name} {{ {' '.join(inner)} }}")
            else:
                parts.append(name)
        return "stats { " + " ".join(parts) + " }"

    def _link_selection(self, entity: CatalogEntity, name: str, size: int, deep: bool) -> str:
        """A link with what shows whether its target was seen; `deep` takes all leaves."""
        link = entity.links[name]
        if isinstance(link, ToOne):
            target = self.catalog.target(link.target)
            return f"{name} {{ {self._leaves(target) if deep else 'id'} }}"
        if isinstance(link, ToMany):
            target = self.catalog.target(link.target)
            if target.aggregate_only:
                return f"{name} {{ totalCount {self._stats(target)} }}"
            leaves = self._leaves(target) if deep and size <= 5 else "id"
            return f"{name}(first: {size}) {{ totalCount nodes {{ {leaves} }} {self._stats(target) if deep else ''} }}"
        if isinstance(link, UnionLink):
            targets = [self.catalog.target(member) for member in link.targets]
            return f"{name} {{ __typename {' '.join(f'... on {member.name} {{ id }}' for member in targets)} }}"
        targets = self.catalog.implementing(link.interface.name)
        inner = " ".join(f"... on {member.name} {{ version }}" for member in targets)
        return f"{name}(first: {size}) {{ totalCount {PAGE_SELECTION} nodes {{ __typename id {link.interface.field} {inner} }} }}"

    # -- lists and links ------------------------------------------------------------------------------------------------

    def _lists(self, entity: CatalogEntity) -> Iterator[GeneratedOperation]:
        plural, leaves = entity.declaration.plural, self._leaves(entity)
        whole = f"totalCount {self._stats(entity)} {PAGE_SELECTION} nodes {{ {leaves} }}"
        yield from self._batched(f"{entity.name} list", [f"{plural}(first: 100) {{ {whole} }}"])
        yield from self._batched(f"{entity.name} list", [f"{plural}(last: 100) {{ {whole} }}"])
        shown = "nodes { id } pageInfo { endCursor hasNextPage }"
        query = f"query($after: Cursor) {{ {plural}(first: 40, after: $after) {{ {shown} }} }}"
        steps = [Step(query, {})]
        steps += [
            Step(query, {"after": ResponseReference(page, (plural, "pageInfo", "endCursor"))}) for page in range(3)
        ]
        yield GeneratedOperation(f"{entity.name} pages", tuple(steps))

    def _link(self, entity: CatalogEntity, name: str) -> Iterator[GeneratedOperation]:
        plural, link = entity.declaration.plural, entity.links[name]
        single = isinstance(link, ToOne | UnionLink)
        for page_argument in ("first", "last") if single else ("first",):
            size = 100 if single else 25
            yield from self._batched(
                f"{entity.name}.{name}",
                [
                    f"{plural}({page_argument}: {size}) {{ nodes {{ id {self._link_selection(entity, name, 5, deep=True)} }} }}"
                ],
            )
        if isinstance(link, ToOne | ToMany):
            target = self.catalog.target(link.target)
            for further in target.links:
                below = self._link_selection(target, further, 5, deep=False)
                inner = f"{name} {{ id {below} }}" if single else f"{name}(first: 5) {{ nodes {{ id {below} }} }}"
                order = self._most_linked_first(entity, name, link)
                size = 40 if single else 10
                yield from self._batched(
                    f"{entity.name}.{name}.{further}", [f"{plural}(first: {size}{order}) {{ nodes {{ id {inner} }} }}"]
                )

    def _most_linked_first(self, entity: CatalogEntity, name: str, link: ToOne | ToMany) -> str:
        return f", orderBy: [{{{name}: {{by: COUNT}}, direction: DESC}}]" if isinstance(link, ToMany) else ""

    def _me(self) -> Iterator[GeneratedOperation]:
        """Who asks, and the lists of what is its own, as far as the viewer knows them."""
        assert self.schema.query_type is not None
        if "me" not in self.schema.query_type.fields:
            return
        for name, field in self._object_type("Me").fields.items():
            type_ = get_named_type(field.type)
            if not type_.name.endswith("Connection"):
                inner = (
                    " ".join(self._object_type(type_.name).fields) if type_.name not in self.catalog.entities else "id"
                )
                yield GeneratedOperation(f"me {name}", (Step(f"{{ r0: me {{ __typename {name} {{ {inner} }} }} }}"),))
                continue
            entity = self.catalog.entities[type_.name.removesuffix("Connection")]
            whole, since = f"totalCount {self._stats(entity)}", self._created_since(entity)
            filters = ["", f"(filter: {since})", f"(filter: {{not: {since}}})"]
            if not entity.aggregate_only:
                whole += f" {PAGE_SELECTION} nodes {{ {self._leaves(entity)} }}"
                filters += ["(first: 100)", "(last: 3)"]
            for arguments in filters:
                document = f"{{ r0: me {{ {name}{arguments} {{ {whole} }} }} }}"
                yield GeneratedOperation(f"me {name} {arguments}", (Step(document),))

    # -- filters --------------------------------------------------------------------------------------------------------

    def _filtered_list(self, entity: CatalogEntity, condition: str) -> str:
        if entity.aggregate_only:
            return f"{entity.declaration.plural}(filter: {condition}) {{ totalCount {self._stats(entity)} }}"
        return f"{entity.declaration.plural}(first: 30, filter: {condition}) {{ totalCount nodes {{ id }} }}"

    def _filters(self, entity: CatalogEntity) -> Iterator[str]:
        yield self._filtered_list(entity, self._created_since(entity))
        for name, link in entity.links.items():
            if isinstance(link, ToOne):
                target = self.catalog.target(link.target)
                yield from (
                    self._filtered_list(entity, f"{{{name}: {condition}}}")
                    for condition in ("{}", self._created_since(target))
                )
                yield self._filtered_list(entity, f"{{not: {{{name}: {{}}}}}}")
                yield from (
                    self._filtered_list(entity, f"{{{name}: {condition}}}") for condition in self._nested(target)
                )
            elif isinstance(link, ToMany):
                target = self.catalog.target(link.target)
                since = self._created_since(target)
                for condition in ("some: {}", "none: {}", f"some: {since}", f"none: {since}", f"every: {since}"):
                    yield self._filtered_list(entity, f"{{{name}: {{{condition}}}}}")
                yield from (
                    self._filtered_list(entity, f"{{{name}: {{some: {condition}}}}}")
                    for condition in self._nested(target)
                )
                yield from (
                    self._filtered_list(entity, f"{{{name}: {{{condition}}}}}")
                    for condition in self._aggregate_conditions(entity, target, link)
                )

    def _created_since(self, entity: CatalogEntity) -> str:
        """A condition that about half of the rows meet, hidden ones too."""
        if "createdAt" not in entity.filterable:
            ids = [public_id(self.all_data, record) for record in self.all_data.rows[entity.name][::2]]
            return f"{{id: {{in: {json.dumps(ids[:50])}}}}}"
        moments = sorted(non_null_values(self.all_data.rows[entity.name], "created_at"))
        middle = moments[len(moments) // 2] if moments else datetime(1970, 1, 1, tzinfo=UTC)
        return f'{{createdAt: {{gte: "{timestamp_text(middle)}"}}}}'

    def _nested(self, entity: CatalogEntity) -> Iterator[str]:
        for name, link in entity.links.items():
            if isinstance(link, ToOne):
                yield f"{{{name}: {{}}}}"
            elif isinstance(link, ToMany):
                yield f"{{{name}: {{some: {{}}}}}}"

    def _aggregate_conditions(self, entity: CatalogEntity, target: CatalogEntity, link: ToMany) -> Iterator[str]:
        """Conditions on figures that hold for some owner when hidden rows are left out, or when they are not."""
        for data in (self.visible_data, self.all_data):
            owners = [
                record
                for record in self.visible_data.rows[entity.name]
                if data.linked(target.name, link.by, record["id"])
            ]
            if not owners:
                continue
            linked = data.linked(target.name, link.by, self.rng.choice(owners)["id"])
            yield f"count: {{eq: {len(linked)}}}"
            yield f"where: {self._created_since(target)}, count: {{lt: {len(linked)}}}"
            for column in target.aggregable:
                yield from self._aggregate_condition(target, column, linked)

    def _aggregate_condition(
        self, target: CatalogEntity, column: ColumnField, linked: Sequence[DataRecord]
    ) -> Iterator[str]:
        values = non_null_values(linked, column.column.name)
        if not values:
            return
        money = f", currency: {json.dumps(linked[0]['currency'])}" if column.scalar.is_money else ""
        for function in ("sum", "avg", "min", "max") if column.scalar.is_number else ("min", "max"):
            operand = {"min": min(values), "max": max(values)}.get(function) or sum(values)
            operand = operand / len(values) if function == "avg" else operand
            yield f"{function}: {{{column.name}: {{gte: {self._literal(operand, column)}}}{money}}}"

    def _literal(self, value: Any, column: ColumnField) -> str:
        if column.scalar.is_number:
            return json.dumps(f"{value:.4f}")
        return json.dumps(timestamp_text(value) if isinstance(value, datetime) else value.isoformat())

    # -- orders, groups, roots ------------------------------------------------------------------------------------------

    def _orders(self, entity: CatalogEntity) -> Iterator[str]:
        keys = [f"field: {sort_key}" for sort_key in entity.sort_keys]
        for name, link in entity.links.items():
            if isinstance(link, ToMany):
                keys.append(f"{name}: {{by: COUNT}}")
                keys.append(f"{name}: {{by: COUNT, where: {self._created_since(self.catalog.target(link.target))}}}")
                for column in self.catalog.target(link.target).aggregable:
                    money = ', currency: "USD"' if column.scalar.is_money else ""
                    for function in ("SUM", "AVG", "MIN", "MAX") if column.scalar.is_number else ("MIN", "MAX"):
                        keys.append(f"{name}: {{by: {function}, field: {column.column.name.upper()}{money}}}")
        for key in keys:
            yield f"{entity.declaration.plural}(first: 30, orderBy: [{{{key}, direction: DESC}}]) {{ nodes {{ id }} }}"

    def _groups(self, entity: CatalogEntity) -> Iterator[str]:
        if not groupable(entity):
            return
        for index, column in enumerate(groupable(entity)):
            key = column.name if index or entity.aggregate_only else f"id {column.name}"
            selection = f"key {{ {key} }} {'stats { count }' if index else self._stats(entity)}"
            bucket = ", bucket: MONTH" if column.scalar.is_time else ""
            by = f"by: [{{field: {column.column.name.upper()}{bucket}}}]"
            yield f"{entity.declaration.plural}Grouped({by}, first: 15) {{ totalCount nodes {{ {selection} }} }}"
        for name, link in entity.links.items():
            if isinstance(link, ToOne):
                yield from self._linked_groups(entity, name, self.catalog.target(link.target))
        conditions = [f"{{{name}: {{}}}}" for name, link in entity.links.items() if isinstance(link, ToOne)]
        conditions += [f"{{{name}: {{some: {{}}}}}}" for name, link in entity.links.items() if isinstance(link, ToMany)]
        field = groupable(entity)[0].column.name.upper()
        for condition in [*self._nested(entity), *conditions]:
            yield (
                f"{entity.declaration.plural}Grouped(by: [{{field: {field}}}], filter: {condition},"
                " orderBy: {by: COUNT, direction: DESC})"
                " { totalCount nodes { stats { count } } }"
            )

    def _linked_groups(self, entity: CatalogEntity, name: str, target: CatalogEntity) -> Iterator[str]:
        """Groups by the ids and the first fields of linked rows, hidden ones too, and of the rows that these link to."""
        plural = entity.declaration.plural
        for column in (None, *groupable(target)[:3]):
            field, key = ("ID", "id") if column is None else (column.column.name.upper(), column.name)
            part = f"{{link: {{{name}: {{field: {field}}}}}}}"
            shown = f"totalCount nodes {{ key {{ {name} {{ {key} }} }} stats {{ count }} }}"
            yield f"{plural}Grouped(by: [{part}], first: 30) {{ {shown} }}"
            order = f"orderBy: [{{by: COUNT, direction: DESC}}, {{key: {part}, direction: DESC}}]"
            yield f"{plural}Grouped(by: [{part}], first: 30, {order}) {{ {shown} }}"
        for further, link in target.links.items():
            if isinstance(link, ToOne):
                part = f"{{link: {{{name}: {{link: {{{further}: {{field: ID}}}}}}}}}}"
                shown = f"totalCount nodes {{ key {{ {name} {{ {further} {{ id }} }} }} stats {{ count }} }}"
                yield f"{plural}Grouped(by: [{part}], first: 30) {{ {shown} }}"

    def _group_pages(self, entity: CatalogEntity) -> Iterator[GeneratedOperation]:
        """Pages of groups, by their key and by how many rows they have."""
        parts = [f"{{field: {column.column.name.upper()}}}" for column in groupable(entity)[:2]]
        if not parts:
            return
        links = [name for name, link in entity.links.items() if isinstance(link, ToOne)]
        parts += [f"{{link: {{{name}: {{field: ID}}}}}}" for name in links[:1]]
        root = f"{entity.declaration.plural}Grouped"
        for order in (
            "",
            ", orderBy: {by: COUNT, direction: DESC}",
            f", orderBy: {{key: {parts[-1]}, direction: DESC}}",
        ):
            shown = "totalCount edges { cursor node { stats { count } } } pageInfo { endCursor hasNextPage hasPreviousPage }"
            query = f"query($after: Cursor) {{ {root}(by: [{', '.join(parts)}], first: 7, after: $after{order}) {{ {shown} }} }}"
            steps = [Step(query, {})]
            steps += [
                Step(query, {"after": ResponseReference(page, (root, "pageInfo", "endCursor"))}) for page in range(2)
            ]
            yield GeneratedOperation(f"{entity.name} group pages", tuple(steps))

    def _sample(self, data: Dataset, name: str, count: int) -> list[DataRecord]:
        rows = data.rows[name]
        return self.rng.sample(rows, min(count, len(rows)))

    def _roots(self, entity: CatalogEntity) -> Iterator[str]:
        single = entity.declaration.singular
        for record in [*self._sample(self.visible_data, entity.name, 2), *self._sample(self.all_data, entity.name, 4)]:
            yield f'{single}(id: "{public_id(self.all_data, record)}") {{ {self._leaves(entity)} }}'
        if entity.declaration.search:
            for record in [
                *self._sample(self.visible_data, entity.name, 3),
                *self._sample(self.all_data, entity.name, 6),
            ]:
                words = record["search_text"].split()
                query = json.dumps(self.rng.choice(words) if words else "a")
                yield f"{entity.declaration.plural}(first: 30, search: {query}) {{ totalCount stats {{ count }} nodes {{ id }} }}"
                field = groupable(entity)[0].column.name.upper()
                by = f"by: [{{field: {field}}}]"
                yield f"{entity.declaration.plural}Grouped({by}, search: {query}) {{ nodes {{ stats {{ count }} }} }}"
        for lookup in entity.declaration.lookups:
            if lookup.table not in [candidate.table for candidate in self.catalog.entities.values()]:
                continue  # its rows are hidden
            table = self.all_data.type_of_table(lookup.table)
            for record in [*self._sample(self.visible_data, table, 4), *self._sample(self.all_data, table, 12)]:
                lookup_fields = [
                    f"{n}: {self._argument(record[c.name], c.type)}"
                    for n, (c, needed) in lookup.arguments.items()
                    if needed
                ]
                yield f"{single}By({lookup.name}: {{{', '.join(lookup_fields)}}}) {{ {self._leaves(entity)} }}"

    def _argument(self, value: Any, column_type: Any) -> str:
        return str(value) if hasattr(column_type, "enum_class") else json.dumps(value)

    def _nodes(self) -> Iterator[str]:
        entities = list(self.catalog.with_rows)
        inner = " ".join(f"... on {entity.name} {{ version }}" for entity in entities)
        for entity in entities:
            for record in self._sample(self.all_data, entity.name, 3):
                yield f'node(id: "{public_id(self.all_data, record)}") {{ __typename id {inner} }}'
        for _ in range(6):
            ids = [
                public_id(self.all_data, record)
                for entity in entities
                for record in self._sample(self.all_data, entity.name, 8)
            ]
            self.rng.shuffle(ids)
            yield f"nodes(ids: {json.dumps(ids)}) {{ __typename id {inner} }}"
