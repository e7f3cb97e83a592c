"""Normal forms of columns of text, as filters and aggregates' arguments use them: the functions that writes use.

A form depends on the value alone, or also on other columns of its row, such as the kind of a contact point."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Any

from hub.errors import BadInput
from hub.model import registry
from hub.model.fields import split_optional
from hub.model.rules import Computation
from hub.model.unicode_text import single_line, visible
from hub.model.validators import CODES, ValueCheck


@dataclass(frozen=True, slots=True)
class NormalForm:
    """The normal form of a value. `is_code`: the type lists its values, so that another one is a mistake."""

    normalize: ValueCheck
    is_code: bool

    def convert(self, value: str) -> str:
        """The value as a write would store it; one that no write would store as it is, unless the type lists its values.

        Raises ValueError with the fault and the remedy."""
        try:
            normalized: str = self.normalize(value)
        except ValueError:
            if self.is_code:
                raise
            return visible(value)
        return normalized


@dataclass(frozen=True, slots=True)
class RowNormalForm:
    """The normal form of a value that depends on other columns of its row.

    `source` is the input that is the value itself, `members` are the values that an input of an enum can have, and `forms`
    the normal forms of the others."""

    computation: Computation
    source: str
    members: Mapping[str, tuple[Any, ...]]
    forms: Mapping[str, NormalForm]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The other columns."""
        return tuple(name for name in self.computation.inputs if name != self.source)

    def spellings(self, value: str, known: Mapping[str, Any]) -> set[str]:
        """Every form in which a write may have stored the value. `known` holds the inputs that are known.

        An unknown enum may be any of its members; another input is absent. Raises ValueError for a code that is none."""
        choices: list[Iterable[Any]] = []
        for name in self.computation.inputs:
            if name == self.source:
                choices.append((value,))
            elif name in self.members:
                members = self.members[name]
                choices.append([member for member in members if known.get(name) in (None, member.value)])
            else:
                text = known.get(name)
                choices.append((self.forms[name].convert(text) if text is not None and name in self.forms else text,))
        spellings = {NormalForm(single_line, is_code=False).convert(value)}
        for inputs in product(*choices):
            try:
                spellings.add(self.computation.function(*inputs))
            except (ValueError, BadInput):
                continue  # no write of this kind stores the value
        return spellings


def column_normal_form(entity: type[Any], name: str) -> NormalForm | RowNormalForm | None:
    """The normal form of a column of text; None for one that is stored as it is received."""
    definition, rules = entity.definition, entity.rules
    options = definition.columns[name].options if name in definition.columns else None
    if options is None or split_optional(definition.annotations.get(name))[0] is not str:
        return None
    if options.copied_from is not None:
        return column_normal_form(registry.registered(options.copied_from.table), options.copied_from.name)
    computation = rules.computations.get(name)
    source = options.normal_form_of[-1] if options.normal_form_of else name
    if computation is not None and source in computation.inputs:
        types = {name: split_optional(definition.annotations[name])[0] for name in computation.inputs}
        members = {name: tuple(t) for name, t in types.items() if isinstance(t, type) and issubclass(t, Enum)}
        others = {n: column_normal_form(entity, n) for n in computation.inputs if n not in (name, source)}
        forms = {n: form for n, form in others.items() if isinstance(form, NormalForm)}
        return RowNormalForm(computation, source, members, forms)
    check = rules.checks.get(name, options.check)
    return None if check is None else NormalForm(check, check in CODES)
