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

from oracle.generate import OperationDraw

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType
# Names that a statement is full of, or that fields beside bear: a planner that is careless with names trips over them.
TRICKY_ALIASES = (
    *(f"t{number}" for number in range(16)),
    *re.findall(
        r"\S+",
        "t row_to_json id name node nodes edges data value key x c r row j json at count total amount currency kind page _ "
        "customer_id search_text placed_at ctid null select from order cursor true created_at unit_id rows sort0 k0",
    ),
)
LONG_KEY = "a_response_key_that_is_exactly_as_long_as_a_name_may_be_in_sql_"
WriteSelection = Callable[["ResponseScope"], str]


@dataclass(slots=True)
class ResponseScope:
    """The response keys of one object, with what each stands for, so that selections that merge agree."""

    keys: dict[str, tuple[str, "ResponseScope"]] = field(default_factory=dict)

    def claim(self, key: str, meaning: str) -> "ResponseScope | None":
        """The scope below the key; None when the key stands for something else already."""
        entry = self.keys.setdefault(key, (meaning, ResponseScope()))
        return entry[1] if entry[0] == meaning else None


class SelectionGenerator:
    """Selections of one operation. What stands below a composite field is drawn by whoever knows its rows."""

    def __init__(self, draw: OperationDraw) -> None:
        self.draw = draw
        self._reusable_fragments: list[tuple[str, Composite, list[tuple[str, str]]]] = []

    def field(
        self,
        scope: ResponseScope,
        parent: Composite,
        name: str,
        arguments: dict[str, Any] | None = None,
        write_selection: WriteSelection | None = None,
    ) -> str:
        """One field with its alias, arguments and directive; `write_selection` writes its selection."""
        definition = self._definition(parent, name)
        text = self._arguments(definition, arguments or {})
        meaning = f"{name}{text}: {definition.type}"
        key, inner = self._key(scope, name, meaning)
        written = f"{key}: {name}{text}" if key != name else f"{name}{text}"
        directive = self.directive()
        selection = f" {write_selection(inner)}" if write_selection else ""
        return written + directive + selection

    def repeated_field(
        self,
        scope: ResponseScope,
        parent: Composite,
        name: str,
        arguments: dict[str, Any] | None,
        write_selections: Sequence[WriteSelection],
    ) -> list[str]:
        """The same field several times over; what is selected below each is merged."""
        definition = self._definition(parent, name)
        text = self._arguments(definition, arguments or {})
        key, inner = self._key(scope, name, f"{name}{text}: {definition.type}")
        written = f"{key}: {name}{text}" if key != name else f"{name}{text}"
        self.draw.record_features("field twice")
        return [f"{written}{self.directive()} {write_selection(inner)}" for write_selection in write_selections]

    def _definition(self, parent: Composite, name: str) -> GraphQLField:
        if name == "__typename":
            return GraphQLField(GraphQLString)
        assert not isinstance(parent, GraphQLUnionType)
        definition: GraphQLField = parent.fields[name]
        return definition

    def _key(self, scope: ResponseScope, name: str, meaning: str) -> tuple[str, ResponseScope]:
        candidates = [name]
        if self.draw.chance(0.1):
            candidates = [self.draw.pick(TRICKY_ALIASES), *candidates]
        elif self.draw.chance(0.02):
            candidates = [LONG_KEY[:62] + self.draw.pick("xyz"), *candidates]
        for key in [*candidates, *(f"other{number}" for number in range(100))]:
            inner = scope.claim(key, meaning)
            if inner is not None:
                if key != name:
                    self.draw.record_features("alias", *(["alias: 63 bytes"] if len(key) == 63 else []))
                    if key in TRICKY_ALIASES:
                        self.draw.record_features("alias: captures")
                return key, inner
        raise AssertionError("no key is free")

    def long_pair(self, scope: ResponseScope, parent: Composite, names: Sequence[str]) -> list[str]:
        """Two keys of 63 bytes that differ in the last."""
        written = []
        for name, end in zip(names, "pq", strict=False):
            if scope.claim(LONG_KEY[:62] + end, f"{name}: {self._definition(parent, name).type}") is not None:
                written.append(f"{LONG_KEY[:62]}{end}: {name}")
        self.draw.record_features("alias", "alias: 63 bytes")
        return written

    def _arguments(self, definition: GraphQLField, arguments: dict[str, Any]) -> str:
        written = [f"{name}: {self.draw.write(value, definition.args[name].type)}" for name, value in arguments.items()]
        unused = [
            n for n, argument in definition.args.items() if n not in arguments and n not in ("first", "last", "words")
        ]
        if unused and self.draw.chance(0.05, "argument null or left out"):
            name = self.draw.pick(
                [argument for argument in unused if str(definition.args[argument].type)[-1] != "!"] or unused
            )
            type_ = str(definition.args[name].type)
            if type_[-1] != "!":
                absent = self.draw.chance(0.5)
                written.append(f"{name}: {self.draw.declare(type_, None, supplied=False) if absent else 'null'}")
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
        self.draw.record_features("directive: literal")
        return f" @{word}(if: {str(value).lower()})"

    def selection_set(self, parts: Sequence[str]) -> str:
        """A selection set; never empty."""
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def wrap(self, type_: Composite, parts: list[str], feature: str = "") -> list[str]:
        """The parts as they are, or some of them in a fragment on `type_`."""
        if len(parts) < 2 or not self.draw.chance(0.22):
            return parts
        cut = self.draw.random.randint(1, len(parts))
        rest, inside = parts[cut:], parts[:cut]
        self.draw.record_features(*([feature] if feature else []))
        if self.draw.chance(0.5):
            return [*rest, self.named_fragment(type_.name, inside)]
        self.draw.record_features("fragment: inline")
        condition = f" on {type_.name}" if self.draw.chance(0.7) else ""
        return [*rest, f"...{condition}{self.directive(0.1)} {self.selection_set(inside)}"]

    def named_fragment(self, type_name: str, parts: Sequence[str]) -> str:
        """A spread of a new named fragment."""
        name = f"F{len(self.draw.fragments)}"
        self.draw.fragments.append(f"fragment {name} on {type_name} {self.selection_set(parts)}")
        self.draw.record_features("fragment: named")
        return f"...{name}{self.directive(0.1)}"

    def type_fragment(self, type_name: str, parts: Sequence[str]) -> str:
        """A fragment that holds for one type of an interface or union."""
        return (
            self.named_fragment(type_name, parts)
            if self.draw.chance(0.3)
            else f"... on {type_name}{self.directive(0.06)} {self.selection_set(parts)}"
        )

    def leaves(
        self, scope: ResponseScope, type_: GraphQLObjectType | GraphQLInterfaceType, minimum: int, maximum: int
    ) -> list[str]:
        """Some leaf fields without arguments."""
        names = [
            name
            for name, definition in type_.fields.items()
            if is_leaf_type(get_named_type(definition.type)) and not definition.args
        ]
        chosen = self.draw.sample(names, minimum, maximum)
        parts = []
        if len(chosen) > 1 and self.draw.chance(0.03):
            parts, chosen = self.long_pair(scope, type_, chosen[:2]), chosen[2:]
        parts.extend(self.field(scope, type_, name) for name in chosen)
        if self.draw.chance(0.15, "__typename"):
            parts.append(self.field(scope, type_, "__typename"))
        return parts

    def reused_fragment(self, scope: ResponseScope, type_: GraphQLObjectType) -> list[str]:
        """A named fragment of plain fields that other places use as well."""
        for name, fragment_type, meanings in self._reusable_fragments:
            if fragment_type is type_ and all(scope.claim(key, meaning) is not None for key, meaning in meanings):
                self.draw.record_features("fragment: used twice")
                return [f"...{name}"]
        names = [n for n, leaf in type_.fields.items() if is_leaf_type(get_named_type(leaf.type)) and not leaf.args]
        meanings = [(leaf, f"{leaf}: {type_.fields[leaf].type}") for leaf in self.draw.sample(names, 1, 3)]
        if any(scope.claim(key, meaning) is None for key, meaning in meanings):
            return []
        name = f"F{len(self.draw.fragments)}"
        self.draw.fragments.append(
            f"fragment {name} on {type_.name} {self.selection_set([key for key, _ in meanings])}"
        )
        self._reusable_fragments.append((name, type_, meanings))
        self.draw.record_features("fragment: named")
        return [f"...{name}"]
