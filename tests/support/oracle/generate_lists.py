"""Draws the arguments of lists: pages, orders, searches, groups."""

from collections.abc import Sequence
from typing import Any

from hub.engine.catalog.catalog import CatalogEntity, upper_snake
from hub.engine.graphql_types.inputs import TIME_BUCKETS, groupable
from hub.model.declarations import MergedConnection, ToMany, ToOne
from oracle import text
from oracle.data import DataRecord, non_null_values
from oracle.generate import OperationDraw
from oracle.generate_filters import FilterGenerator
from oracle.lists import MAX_WORDS
from oracle.values import timestamp_text

ArgumentValues = dict[str, Any]
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Asia/Kolkata", "Pacific/Auckland"),
    *("Atlantic/Azores", "Australia/Lord_Howe", "America/Sao_Paulo", "America/St_Johns", "Asia/Beirut"),
)


class ListArgumentGenerator:
    """Arguments of one operation's lists."""

    def __init__(self, draw: OperationDraw, filters: FilterGenerator) -> None:
        self.draw = draw
        self.filters = filters

    def list_arguments(
        self, entity: CatalogEntity, witness: DataRecord | None, max_rows: int, *, probability: float = 0.5
    ) -> ArgumentValues:
        """Filter, order, search and page of a list; `max_rows` may be asked for."""
        arguments = self.page(max_rows)
        if self.draw.chance(min(1, probability * 1.2), "filter"):
            arguments["filter"] = self.filters.filter_for(entity, witness)
        if self.draw.chance(probability * 0.8):
            arguments["orderBy"] = self.order(entity, witness)
        if entity.declaration.search and self.draw.chance(probability * 0.9, "search"):
            arguments["search"] = self.query(entity, witness)
            self.draw.record_features("search: ordered" if "orderBy" in arguments else "search: by rank")
        return arguments

    def page(self, max_rows: int) -> ArgumentValues:
        """How much of a list: from the start, from the end, or as much as is usual."""
        if max_rows >= 20 and self.draw.chance(0.25, "page: default"):
            return {}
        size = 0 if self.draw.chance(0.03) else self.draw.random.randint(1, max(1, min(max_rows, 9)))
        if self.draw.chance(0.25, "page: last"):
            return {"last": size}
        self.draw.record_features("page: first")
        return {"first": size}

    def order(self, entity: CatalogEntity, witness: DataRecord | None) -> list[ArgumentValues]:
        """One to three keys, fields and figures over lists."""
        links = [name for name, link in entity.links.items() if isinstance(link, ToMany)]
        keys: list[ArgumentValues] = [
            {"field": key} for key in self.draw.sample(list(entity.sort_keys), 0 if links else 1, 2)
        ]
        if links and (not keys or self.draw.chance(0.8)):
            keys.extend(
                self._aggregate_sort(entity, name)
                for name in dict.fromkeys(self.draw.sample(self.draw.weighted_links(entity, links), 1, 2))
            )
        self.draw.random.shuffle(keys)
        self.draw.record_features("order: several keys" if len(keys) > 1 else "order: one key")
        if any("field" in key for key in keys):
            self.draw.record_features("order: field")
        return [key | ({"direction": self.draw.pick(("ASC", "DESC"))} if self.draw.chance(0.7) else {}) for key in keys]

    def _aggregate_sort(self, entity: CatalogEntity, name: str) -> ArgumentValues:
        link = entity.links[name]
        assert isinstance(link, ToMany)
        target = self.draw.catalog.target(link.target)
        columns = list(target.aggregable)
        numbers = [candidate for candidate in columns if candidate.scalar.is_number]
        number_functions = ("SUM", "SUM", "AVG", "AVG", "AVG") * 3 if numbers else ()
        by = self.draw.pick(("COUNT", "MIN", "MIN", "MAX") * 2 + number_functions)
        self.draw.record_features(f"order: {by}")
        sort_input: ArgumentValues = {"by": by}
        if by != "COUNT":
            column = self.draw.pick(numbers if by in ("SUM", "AVG") or (numbers and self.draw.chance(0.5)) else columns)
            sort_input["field"] = column.column.name.upper()
            if column.scalar.is_money:
                sort_input["currency"] = self.draw.pick(("USD", "USD", "EUR", "JPY"))
        if self.draw.spend(5) and self.draw.chance(0.45, "order: where"):
            rows = self.draw.data.rows[target.name]
            sort_input["where"] = self.filters.filter_for(target, self.draw.pick(rows) if rows else None, 1)
        return {name: sort_input}

    def query(self, entity: CatalogEntity, witness: DataRecord | None) -> str:
        """Words out of the witness's text, as they stand there or misspelt."""
        if witness and self.draw.chance(0.85) and (known_by := self._code(entity, witness)):
            return known_by
        words = str(witness["search_text"] if witness else "a").split()
        if not words:
            return "a"
        chosen = [self._misspelt(word) for word in self.draw.sample(words, 1, 3)]
        query = self.draw.pick((" ", " ", "　", "  ")).join(chosen)
        spelled = self.draw.pick((query, query.upper(), f" {query}", query.title()))
        if witness and not text.matches_search(text.words(spelled), witness["search_text"]):
            return str(self.draw.pick(words))
        return spelled

    def _code(self, entity: CatalogEntity, witness: DataRecord) -> str | None:
        """A value that the witness is known by, as it stands there or a part of it."""
        values = [
            row[column]
            for source in self.draw.catalog.identifying(entity)
            for row in self.draw.data.linked(source.name, "customer_id", witness["id"])
            for column in source.declaration.identifies
        ]
        codes = [value for value in values if text.words(value) and len(text.words(value)) <= MAX_WORDS]
        if not codes:
            return None
        value = str(self.draw.pick(codes))
        self.draw.record_features("search: code")
        return self.draw.pick((value, value.upper(), value[: max(3, len(value) // 2)]))

    def _misspelt(self, word: str) -> str:
        if len(word) < 4 or self.draw.chance(0.5):
            return word[: max(1, len(word) - self.draw.random.randint(0, 2))]
        self.draw.record_features("search: misspelt")
        index = self.draw.random.randrange(1, len(word) - 1)
        return word[:index] + self.draw.pick(("", word[index] * 2, "x", "é")) + word[index + 1 :]

    def groups(self, entity: CatalogEntity, witness: DataRecord | None) -> ArgumentValues:
        """What rows are grouped by, and which."""
        own = [self._grouping(column.name, entity) for column in self.draw.sample(groupable(entity), 0, 2)]
        linked = [self._linked_grouping(entity, name) for name in self.draw.sample(_links_to_one(entity), 0, 2)]
        by = own + linked or [{"field": "ID"}]
        self.draw.random.shuffle(by)
        self.draw.record_features(*(["groups: by a linked row"] if linked else []))
        arguments: ArgumentValues = {"by": by}
        if self.draw.chance(0.5):
            arguments["filter"] = self.filters.filter_for(entity, witness)
        if entity.declaration.search and self.draw.chance(0.3):
            arguments["search"] = self.query(entity, witness)
            self.draw.record_features("search")
        if self.draw.chance(0.7, "groups: ordered"):
            arguments["orderBy"] = self._group_order(entity, by)
        if self.draw.chance(0.7):
            arguments[self.draw.pick(("first", "first", "last"))] = self.draw.random.randint(1, 8)
        return arguments

    def _group_order(self, entity: CatalogEntity, by: Sequence[ArgumentValues]) -> list[ArgumentValues]:
        """A figure, a part of the key, or both."""
        columns = list(entity.aggregable)
        figure: ArgumentValues = {"by": self.draw.pick(("COUNT", "SUM", "AVG", "MIN", "MAX"))}
        numbers = [column for column in columns if column.scalar.is_number]
        if figure["by"] in ("SUM", "AVG") and not numbers:
            figure["by"] = "COUNT"
        if figure["by"] != "COUNT":
            column = self.draw.pick(numbers if figure["by"] in ("SUM", "AVG") else columns)
            figure["field"] = column.column.name.upper()
            if column.scalar.is_money:
                figure["currency"] = self.draw.pick(("USD", "USD", "EUR"))
        key: ArgumentValues = {"key": _without_bucket(self.draw.pick(by))}
        terms = self.draw.pick(([figure], [figure], [key], [key, figure], [figure, key]))
        return [
            term | ({"direction": self.draw.pick(("ASC", "DESC"))} if self.draw.chance(0.7) else {}) for term in terms
        ]

    def _linked_grouping(self, entity: CatalogEntity, name: str, depth: int = 1) -> ArgumentValues:
        link = entity.links[name]
        assert isinstance(link, ToOne)
        target = self.draw.catalog.target(link.target)
        further = _links_to_one(target)
        if further and depth < 3 and self.draw.chance(0.3):
            inner = self._linked_grouping(target, self.draw.pick(further), depth + 1)
        elif self.draw.chance(0.3):
            inner = {"field": "ID"}
        else:
            inner = self._grouping(self.draw.pick(groupable(target)).name, target)
        return {"link": {name: inner}}

    def _grouping(self, name: str, entity: CatalogEntity) -> ArgumentValues:
        column = entity.filterable[name]
        part: ArgumentValues = {"field": column.column.name.upper()}
        if column.scalar.is_time and self.draw.chance(0.8, "groups: bucket"):
            part["bucket"] = self.draw.pick(TIME_BUCKETS)
            if column.scalar.name == "DateTime" and self.draw.chance(0.8, "groups: timezone"):
                part["timezone"] = self.draw.pick(ZONES)
        return part

    def timeline(self, link: MergedConnection, entries: Sequence[tuple[str, Any]], max_rows: int) -> ArgumentValues:
        """A page of a merged list, and perhaps the types and times of its entries."""
        arguments = self.page(max_rows)
        entities = self.draw.catalog.implementing(link.interface.name)
        if self.draw.chance(0.65, "timeline: types"):
            known = [entry_type for entry_type, _ in entries] or [upper_snake(entity.name) for entity in entities]
            arguments["types"] = list(dict.fromkeys(self.draw.sample(known, 1, 3)))
        column = entities[0].declaration.implements[link.interface.name]
        sample_records = self.draw.sample(self.draw.data.rows[entities[0].name], 1, 3)
        moments = sorted(moment for _, moment in entries) or sorted(non_null_values(sample_records, column))
        if moments and self.draw.chance(0.75, "timeline: since or until"):
            middle = moments[len(moments) // 2]
            arguments |= self.draw.pick(({"since": timestamp_text(middle)}, {"until": timestamp_text(moments[-1])}))
        return arguments


def _links_to_one(entity: CatalogEntity) -> list[str]:
    return [name for name, link in entity.links.items() if isinstance(link, ToOne)]


def _without_bucket(grouping: ArgumentValues) -> ArgumentValues:
    """A part of a key as a sort key names it."""
    if "link" in grouping:
        return {"link": {name: _without_bucket(inner) for name, inner in grouping["link"].items()}}
    return {"field": grouping["field"]}


def lookup_arguments(draw: OperationDraw, entity: CatalogEntity, witness: DataRecord | None) -> ArgumentValues:
    """The argument of a root that finds a row by another's: values of a row that points at the witness, or at any."""
    lookup = entity.declaration.lookups[0]
    name = draw.data.type_of_table(lookup.table)
    rows = draw.data.linked(name, lookup.key, witness["id"]) if witness else []
    one = draw.pick(rows or draw.data.rows[name])
    arguments = {
        argument: one[column.name]
        for argument, column in lookup.compared.items()
        if lookup.arguments[argument][1] or draw.chance(0.5)
    }
    if "value" in arguments:
        is_number = one.get("kind") in ("PHONE", "FAX")
        spellings = (one["value"], one["value"].upper(), one.get("normalized", one["value"]))
        arguments["value"] = f"+{one['normalized']}" if is_number else draw.pick(spellings)
    return {lookup.name: arguments}
