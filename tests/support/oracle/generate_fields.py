"""Draws selections: fields, aliases, fragments, directives, over rows, connections, figures, interfaces and unions."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLString,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from oracle.generate import Draw

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType
# Names that a statement is full of, or that fields beside bear: a planner that is careless with names trips over them.
ALIASES = (
    *(f"t{number}" for number in range(16)),
    *re.findall(
        r"\S+",
        "t row_to_json id name node nodes edges data value key x c r row j json at count total amount currency kind page _ "
        "customer_id search_text placed_at ctid null select from order cursor true created_at unit_id rows sort0 k0",
    ),
)
LONG = "a_response_key_that_is_exactly_as_long_as_a_name_may_be_in_sql_"
Sub = Callable[["Scope"], str]


@dataclass(slots=True)
class Scope:
    """The response keys of one object, with what each stands for, so that selections that merge agree."""

    keys: dict[str, tuple[str, "Scope"]] = field(default_factory=dict)

    def claim(self, key: str, meaning: str) -> "Scope | None":
        """The scope below the key; None when the key stands for something else already."""
        found = self.keys.setdefault(key, (meaning, Scope()))
        return found[1] if found[0] == meaning else None


class Fields:
    """Selections of one operation. What stands below a composite field is drawn by whoever knows its rows."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self._kept: list[tuple[str, Composite, list[tuple[str, str]]]] = []

    def field(
        self,
        scope: Scope,
        parent: Composite,
        name: str,
        arguments: dict[str, Any] | None = None,
        below: Sub | None = None,
    ) -> str:
        """One field with its alias, arguments and directive; `below` draws its selection."""
        definition = self._definition(parent, name)
        text = self._arguments(definition, arguments or {})
        meaning = f"{name}{text}: {definition.type}"
        key, inner = self._key(scope, name, meaning)
        written = f"{key}: {name}{text}" if key != name else f"{name}{text}"
        directive = self.directive()
        selection = f" {below(inner)}" if below else ""
        return written + directive + selection

    def twice(
        self, scope: Scope, parent: Composite, name: str, arguments: dict[str, Any] | None, below: Sequence[Sub]
    ) -> list[str]:
        """The same field several times over; what is selected below each is merged."""
        definition = self._definition(parent, name)
        text = self._arguments(definition, arguments or {})
        key, inner = self._key(scope, name, f"{name}{text}: {definition.type}")
        written = f"{key}: {name}{text}" if key != name else f"{name}{text}"
        self.draw.use("field twice")
        return [f"{written}{self.directive()} {each(inner)}" for each in below]

    def _definition(self, parent: Composite, name: str) -> GraphQLField:
        if name == "__typename":
            return GraphQLField(GraphQLString)
        assert not isinstance(parent, GraphQLUnionType)
        found: GraphQLField = parent.fields[name]
        return found

    def _key(self, scope: Scope, name: str, meaning: str) -> tuple[str, Scope]:
        wanted = [name]
        if self.draw.chance(0.1):
            wanted = [self.draw.pick(ALIASES), *wanted]
        elif self.draw.chance(0.02):
            wanted = [LONG[:62] + self.draw.pick("xyz"), *wanted]
        for key in [*wanted, *(f"other{place}" for place in range(100))]:
            found = scope.claim(key, meaning)
            if found is not None:
                if key != name:
                    self.draw.use("alias", *(["alias: 63 bytes"] if len(key) == 63 else []))
                    if key in ALIASES:
                        self.draw.use("alias: captures")
                return key, found
        raise AssertionError("no key is free")

    def long_pair(self, scope: Scope, parent: Composite, names: Sequence[str]) -> list[str]:
        """Two keys of 63 bytes that differ in the last."""
        written = []
        for name, end in zip(names, "pq", strict=False):
            if scope.claim(LONG[:62] + end, f"{name}: {self._definition(parent, name).type}") is not None:
                written.append(f"{LONG[:62]}{end}: {name}")
        self.draw.use("alias", "alias: 63 bytes")
        return written

    def _arguments(self, definition: GraphQLField, given: dict[str, Any]) -> str:
        written = [f"{name}: {self.draw.write(value, definition.args[name].type)}" for name, value in given.items()]
        free = [n for n, each in definition.args.items() if n not in given and n not in ("first", "last", "words")]
        if free and self.draw.chance(0.05, "argument null or left out"):
            name = self.draw.pick([each for each in free if str(definition.args[each].type)[-1] != "!"] or free)
            kind = str(definition.args[name].type)
            if kind[-1] != "!":
                absent = self.draw.chance(0.5)
                written.append(f"{name}: {self.draw.declare(kind, None, given=False) if absent else 'null'}")
        return f"({', '.join(written)})" if written else ""

    def directive(self, probability: float = 0.04) -> str:
        """@include or @skip, mostly so that the selection stays."""
        if self.draw.directives >= 8 or not self.draw.chance(probability):
            return ""
        self.draw.directives += 1
        word, stays = self.draw.pick((("include", True), ("skip", False)))
        value = stays if self.draw.chance(0.75) else not stays
        if self.draw.chance(0.5, "directive: variable"):
            return f" @{word}(if: {self.draw.declare('Boolean!', value)})"
        self.draw.use("directive: literal")
        return f" @{word}(if: {str(value).lower()})"

    def set(self, parts: Sequence[str]) -> str:
        """A selection set; never empty."""
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def wrap(self, kind: Composite, parts: list[str], feature: str = "") -> list[str]:
        """The parts as they are, or some of them in a fragment on `kind`."""
        if len(parts) < 2 or not self.draw.chance(0.22):
            return parts
        cut = self.draw.random.randint(1, len(parts))
        rest, inside = parts[cut:], parts[:cut]
        self.draw.use(*([feature] if feature else []))
        if self.draw.chance(0.5):
            return [*rest, self.named(kind.name, inside)]
        self.draw.use("fragment: inline")
        condition = f" on {kind.name}" if self.draw.chance(0.7) else ""
        return [*rest, f"...{condition}{self.directive(0.1)} {self.set(inside)}"]

    def named(self, kind: str, parts: Sequence[str]) -> str:
        """A spread of a new named fragment."""
        name = f"F{len(self.draw.fragments)}"
        self.draw.fragments.append(f"fragment {name} on {kind} {self.set(parts)}")
        self.draw.use("fragment: named")
        return f"...{name}{self.directive(0.1)}"

    def on(self, kind: str, parts: Sequence[str]) -> str:
        """A fragment that holds for one type of an interface or union."""
        return (
            self.named(kind, parts)
            if self.draw.chance(0.3)
            else f"... on {kind}{self.directive(0.06)} {self.set(parts)}"
        )

    def leaves(self, scope: Scope, kind: GraphQLObjectType | GraphQLInterfaceType, least: int, most: int) -> list[str]:
        """Some leaf fields without arguments."""
        names = [
            name for name, each in kind.fields.items() if is_leaf_type(get_named_type(each.type)) and not each.args
        ]
        chosen = self.draw.some(names, least, most)
        parts = []
        if len(chosen) > 1 and self.draw.chance(0.03):
            parts, chosen = self.long_pair(scope, kind, chosen[:2]), chosen[2:]
        parts.extend(self.field(scope, kind, name) for name in chosen)
        if self.draw.chance(0.15, "__typename"):
            parts.append(self.field(scope, kind, "__typename"))
        return parts

    def reused(self, scope: Scope, kind: GraphQLObjectType) -> list[str]:
        """A named fragment of plain fields that other places use as well."""
        for name, of, meanings in self._kept:
            if of is kind and all(scope.claim(key, meaning) is not None for key, meaning in meanings):
                self.draw.use("fragment: used twice")
                return [f"...{name}"]
        names = [n for n, each in kind.fields.items() if is_leaf_type(get_named_type(each.type)) and not each.args]
        meanings = [(each, f"{each}: {kind.fields[each].type}") for each in self.draw.some(names, 1, 3)]
        if any(scope.claim(key, meaning) is None for key, meaning in meanings):
            return []
        name = f"F{len(self.draw.fragments)}"
        self.draw.fragments.append(f"fragment {name} on {kind.name} {self.set([key for key, _ in meanings])}")
        self._kept.append((name, kind, meanings))
        self.draw.use("fragment: named")
        return [f"...{name}"]
