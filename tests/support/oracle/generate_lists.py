"""Draws the arguments of lists: pages, orders, searches, groups."""

from collections.abc import Sequence
from typing import Any

from hub.engine.catalog.catalog import Row, shout
from hub.engine.graphql_types.inputs import BUCKETS, groupable
from hub.model.declarations import Many, Merged
from oracle import text
from oracle.data import Record, values_of
from oracle.generate import Draw
from oracle.generate_filters import Filters
from oracle.values import moment_text

Arguments = dict[str, Any]
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Asia/Kolkata", "Pacific/Auckland")


class ListArguments:
    """Arguments of one operation's lists."""

    def __init__(self, draw: Draw, filters: Filters) -> None:
        self.draw = draw
        self.filters = filters

    def of(self, row: Row, witness: Record | None, most: int, *, often: float = 0.5) -> Arguments:
        """Filter, order, search and page of a list; `most` rows may be asked for."""
        given = self.page(most)
        if self.draw.chance(min(1, often * 1.2), "filter"):
            given["filter"] = self.filters.on(row, witness)
        if self.draw.chance(often * 0.8):
            given["orderBy"] = self.order(row, witness)
        if row.declaration.search and self.draw.chance(often * 0.9, "search"):
            given["search"] = self.query(row, witness)
            self.draw.use("search: ordered" if "orderBy" in given else "search: by rank")
        return given

    def page(self, most: int) -> Arguments:
        """How much of a list: from the start, from the end, or as much as is usual."""
        if most >= 20 and self.draw.chance(0.25, "page: default"):
            return {}
        size = 0 if self.draw.chance(0.03) else self.draw.random.randint(1, max(1, min(most, 9)))
        if self.draw.chance(0.25, "page: last"):
            return {"last": size}
        self.draw.use("page: first")
        return {"first": size}

    def order(self, row: Row, witness: Record | None) -> list[Arguments]:
        """One to three keys, fields and figures over lists."""
        links = [name for name, link in row.links.items() if isinstance(link, Many)]
        keys: list[Arguments] = [{"field": each} for each in self.draw.some(list(row.sort_keys), 0 if links else 1, 2)]
        if links and (not keys or self.draw.chance(0.8)):
            keys.extend(
                self._figure(row, name) for name in dict.fromkeys(self.draw.some(self.draw.counted(row, links), 1, 2))
            )
        self.draw.random.shuffle(keys)
        self.draw.use("order: several keys" if len(keys) > 1 else "order: one key")
        if any("field" in each for each in keys):
            self.draw.use("order: field")
        return [
            each | ({"direction": self.draw.pick(("ASC", "DESC"))} if self.draw.chance(0.7) else {}) for each in keys
        ]

    def _figure(self, row: Row, name: str) -> Arguments:
        link = row.links[name]
        assert isinstance(link, Many)
        target = self.draw.catalog.target(link.target)
        columns = list(target.aggregable)
        numbers = [each for each in columns if each.wire.number]
        others = ("SUM", "SUM", "AVG", "AVG", "AVG") * 3 if numbers else ()
        by = self.draw.pick(("COUNT", "MIN", "MAX") * 2 + others)
        self.draw.use(f"order: {by}")
        given: Arguments = {"by": by}
        if by != "COUNT":
            column = self.draw.pick(numbers if by in ("SUM", "AVG") or (numbers and self.draw.chance(0.5)) else columns)
            given["field"] = column.column.name.upper()
            if column.wire.money:
                given["currency"] = self.draw.pick(("USD", "USD", "EUR", "JPY"))
        if self.draw.spend(5) and self.draw.chance(0.45, "order: where"):
            rows = self.draw.data.rows[target.name]
            given["where"] = self.filters.on(target, self.draw.pick(rows) if rows else None, 1)
        return {name: given}

    def query(self, row: Row, witness: Record | None) -> str:
        """Words out of the witness's text, as they stand there or misspelt."""
        words = str(witness["search_text"] if witness else "a").split()
        if not words:
            return "a"
        chosen = [self._misspelt(each) for each in self.draw.some(words, 1, 3)]
        query = self.draw.pick((" ", " ", "　", "  ")).join(chosen)
        spelled = self.draw.pick((query, query.upper(), f" {query}", query.title()))
        if witness and not text.finds(text.words(spelled), witness["search_text"]):
            return str(self.draw.pick(words))
        return spelled

    def _misspelt(self, word: str) -> str:
        if len(word) < 4 or self.draw.chance(0.5):
            return word[: max(1, len(word) - self.draw.random.randint(0, 2))]
        self.draw.use("search: misspelt")
        at = self.draw.random.randrange(1, len(word) - 1)
        return word[:at] + self.draw.pick(("", word[at] * 2, "x", "é")) + word[at + 1 :]

    def groups(self, row: Row, witness: Record | None) -> Arguments:
        """What rows are grouped by, and which."""
        given: Arguments = {"by": [self._part(each.name, row) for each in self.draw.some(groupable(row), 1, 3)]}
        if self.draw.chance(0.5):
            given["filter"] = self.filters.on(row, witness)
        if row.declaration.search and self.draw.chance(0.3):
            given["search"] = self.query(row, witness)
            self.draw.use("search")
        if self.draw.chance(0.5, "groups: by count"):
            given["orderBy"] = "COUNT"
        if self.draw.chance(0.7):
            given["first"] = self.draw.random.randint(1, 8)
        return given

    def _part(self, name: str, row: Row) -> Arguments:
        column = row.filterable[name]
        part: Arguments = {"field": column.column.name.upper()}
        if column.wire.time and self.draw.chance(0.8, "groups: bucket"):
            part["bucket"] = self.draw.pick(BUCKETS)
            if column.wire.name == "DateTime" and self.draw.chance(0.8, "groups: timezone"):
                part["timezone"] = self.draw.pick(ZONES)
        return part

    def timeline(self, link: Merged, entries: Sequence[tuple[str, Any]], most: int) -> Arguments:
        """A page of a merged list, and perhaps the types and times of its entries."""
        given = self.page(most)
        rows = self.draw.catalog.implementing(link.interface.name)
        if self.draw.chance(0.65, "timeline: types"):
            known = [each for each, _ in entries] or [shout(row.name) for row in rows]
            given["types"] = list(dict.fromkeys(self.draw.some(known, 1, 3)))
        column = rows[0].declaration.implements[link.interface.name]
        anyone = self.draw.some(self.draw.data.rows[rows[0].name], 1, 3)
        moments = sorted(moment for _, moment in entries) or sorted(values_of(anyone, column))
        if moments and self.draw.chance(0.75, "timeline: since or until"):
            middle = moments[len(moments) // 2]
            given |= self.draw.pick(({"since": moment_text(middle)}, {"until": moment_text(moments[-1])}))
        return given


def found_by(draw: Draw, row: Row, witness: Record | None) -> Arguments:
    """The argument of a root that finds a row by another's: values of a row that points at the witness, or at any."""
    how = row.declaration.found_by[0]
    name = draw.data.of_table(how.table)
    rows = draw.data.linked(name, how.key, witness["id"]) if witness else []
    one = draw.pick(rows or draw.data.rows[name])
    given = {
        argument: one[column.name] for argument, (column, needed) in how.arguments.items() if needed or draw.chance(0.5)
    }
    if "value" in given:
        given["value"] = draw.pick((one["value"], one["value"].upper(), one.get("normalized", one["value"])))
    return {how.name: given}
