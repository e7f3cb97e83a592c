"""The validation rules of graphql-core, each with its code, bounded in time and in the errors that are told.

What the rules accept stays the library's. Here they learn to name the argument and the remedy, and not to take longer
than a document within the limits deserves. How large a document may be is in limits.py.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, ClassVar, NamedTuple, cast

from graphql import (
    SKIP,
    ArgumentNode,
    ASTValidationRule,
    DocumentNode,
    FieldsOnCorrectTypeRule,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    KnownArgumentNamesRule,
    KnownTypeNamesRule,
    MaxIntrospectionDepthRule,
    NamedTypeNode,
    Node,
    NoUndefinedVariablesRule,
    NoUnusedVariablesRule,
    ObjectFieldNode,
    OverlappingFieldsCanBeMergedRule,
    ParallelVisitor,
    ProvidedRequiredArgumentsRule,
    TypeInfo,
    TypeInfoVisitor,
    UniqueVariableNamesRule,
    ValidationContext,
    ValueNode,
    ValuesOfCorrectTypeRule,
    VariableDefinitionNode,
    VariablesAreInputTypesRule,
    VariablesInAllowedPositionRule,
    VisitorAction,
    specified_rules,
    validate_input_literal,
    visit,
)
from graphql.language.ast import QUERY_DOCUMENT_KEYS
from graphql.language.visitor import EnterLeaveVisitor
from graphql.pyutils import did_you_mean
from graphql.validation.validate import ValidationAbortedError

from hub.engine.document.limits import Limits, refusal

# A suggestion compares the wrong name with every right one, which costs milliseconds: only the first errors get one.
_SUGGESTED = 2

_CODES: dict[type[ASTValidationRule], str] = {
    FieldsOnCorrectTypeRule: "FIELD_UNKNOWN",
    KnownArgumentNamesRule: "ARGUMENT_UNKNOWN",
    ProvidedRequiredArgumentsRule: "ARGUMENT_MISSING",
    NoUndefinedVariablesRule: "VARIABLE_INVALID",
    NoUnusedVariablesRule: "VARIABLE_INVALID",
    UniqueVariableNamesRule: "VARIABLE_INVALID",
    VariablesAreInputTypesRule: "VARIABLE_INVALID",
    VariablesInAllowedPositionRule: "VARIABLE_INVALID",
    MaxIntrospectionDepthRule: "DEPTH_LIMIT",
}

_REMEDIES = {
    "FIELD_UNKNOWN": "The schema lists the fields of each type.",
    "ARGUMENT_UNKNOWN": "The schema lists the arguments of each field.",
    "ARGUMENT_MISSING": "Give it a value.",
    "VARIABLE_INVALID": "Declare each variable that is used, once, with the type of its place.",
    "DEPTH_LIMIT": "Ask for fewer lists inside lists.",
}

# A description is text for people; as a child of a variable it would be taken for its default.
_KEYS = {kind: tuple(key for key in keys if key != "description") for kind, keys in QUERY_DOCUMENT_KEYS.items()}


_MISSING = re.compile(r"Expected value of type '\w+' to include required field '(\w+)'")


class _Enough(Exception):
    """As many errors as will be told are found."""


class _Misfit(Exception):
    """One error of a value is found; its others can wait."""


class _Context(ValidationContext):
    """Collects the errors of one document and stops at the last that will be told."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, types: TypeInfo, enough: int) -> None:
        self.errors: list[GraphQLError] = []
        self._enough = enough
        super().__init__(schema, document, types, self._collect)

    @property
    def hide_suggestions(self) -> bool:
        return len(self.errors) >= _SUGGESTED

    def _collect(self, error: GraphQLError) -> None:
        if not error.extensions:
            # A few rules report past themselves, all of them but this one without a code of their own.
            unknown = isinstance(_node(error), ArgumentNode)
            _code(error, "ARGUMENT_UNKNOWN" if unknown else _Coded.code)
        self.errors.append(error)
        if len(self.errors) >= self._enough:
            raise _Enough


class _Coded(ASTValidationRule):
    """Gives a rule's errors the rule's code."""

    code: ClassVar[str] = "GRAPHQL_INVALID"

    def report_error(self, error: GraphQLError) -> None:
        _code(error, self.code)
        super().report_error(error)


class _Types(_Coded, KnownTypeNamesRule):
    """Like the library's, whose suggestions take 25 ms for one name among 300."""

    def enter_named_type(self, node: NamedTypeNode, *_: Any) -> None:
        name = node.name.value
        known = cast(ValidationContext, self.context).schema.type_map
        if name not in known:
            near = [] if self.context.hide_suggestions else get_close_matches(name, known, cutoff=0.7)
            self.report_error(GraphQLError(f"Unknown type '{name}'.{did_you_mean(near)}", node))


class _Values(_Coded, ValuesOfCorrectTypeRule):
    """Like the library's, and says in which argument, and where inside it, the value does not fit."""

    place = ""

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        self.place = node.name.value

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        self.place = f"${node.variable.name.value}"

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        if input_type:
            with suppress(_Misfit):
                validate_input_literal(node, input_type, self._misfit, hide_suggestions=self.context.hide_suggestions)
        return SKIP

    def _misfit(self, error: GraphQLError, path: list[str | int]) -> None:
        code = "VALUE_INVALID"
        places = [self.place, *path]
        if isinstance(node := _node(error), ObjectFieldNode):
            code = "ARGUMENT_UNKNOWN"
            places.append(node.name.value)
        elif missing := _MISSING.match(error.message):
            code = "ARGUMENT_MISSING"
            places.append(missing[1])
        place = ".".join(map(str, places))
        kind = "Variable" if place.startswith("$") else "Argument"
        error.message = f"{kind} '{place}': {error.message}"
        _code(error, code, place)
        self.context.report_error(error)
        # Each further error would print the whole value again.
        raise _Misfit


def _overlaps(steps: int) -> type[ASTValidationRule]:
    """Comparing fields that share a response key is quadratic; the library meters it, but allows 50 times more."""

    class Overlaps(_Coded, OverlappingFieldsCanBeMergedRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = steps

    return Overlaps


class _Methods(NamedTuple):
    """By the number of each rule that has one: the names of what it does when a node is entered, and when it is left."""

    enter: tuple[tuple[int, str], ...]
    leave: tuple[tuple[int, str], ...]


class _Together(ParallelVisitor):
    """All rules at each node. Like the library's, which asks every rule of every document for methods that few have.

    What rules may do here is less: go on, or skip what is below a node; none of them ends the visit or edits."""

    def __init__(self, rules: Sequence[ASTValidationRule], methods: dict[str, _Methods]) -> None:
        super().__init__(rules)
        self._rules = rules
        self._methods = methods  # by kind of node, the same for all documents
        self._skipped: list[int] = []  # rules, in the order in which they began to skip

    def get_enter_leave_for_kind(self, kind: str) -> EnterLeaveVisitor:
        found = self.enter_leave_map.get(kind)
        if found is None:
            found = self.enter_leave_map[kind] = self._joined(kind)
        return found

    def _joined(self, kind: str) -> EnterLeaveVisitor:
        names = self._methods.get(kind)
        if names is None:
            names = self._methods[kind] = _methods([type(each) for each in self._rules], kind)
        entering = [(number, getattr(self._rules[number], name)) for number, name in names.enter]
        leaving = [(number, getattr(self._rules[number], name)) for number, name in names.leave]
        if not entering and not leaving:
            return EnterLeaveVisitor(None, None)
        skipping, skipped = self.skipping, self._skipped

        def enter(node: Node, *where: Any) -> None:
            for number, do in entering:
                if skipping[number] is None and do(node, *where) is SKIP:
                    skipping[number] = node
                    skipped.append(number)

        def leave(node: Node, *where: Any) -> None:
            for number, do in leaving:
                if skipping[number] is None:
                    do(node, *where)
            while skipped and skipping[skipped[-1]] is node:
                skipping[skipped.pop()] = None

        return EnterLeaveVisitor(enter, leave)


def _methods(rules: Sequence[type[ASTValidationRule]], kind: str) -> _Methods:
    def named(*names: str) -> tuple[tuple[int, str], ...]:
        had = [next((name for name in names if getattr(rule, name, None)), None) for rule in rules]
        return tuple((number, name) for number, name in enumerate(had) if name)

    return _Methods(named(f"enter_{kind}", "enter"), named(f"leave_{kind}", "leave"))


class Rules:
    """Validates documents that are within the limits, for one schema."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        own: dict[type[ASTValidationRule], type[ASTValidationRule]] = {
            KnownTypeNamesRule: _Types,
            ValuesOfCorrectTypeRule: _Values,
            OverlappingFieldsCanBeMergedRule: _overlaps(limits.overlaps),
        }
        self._schema = schema
        self._enough = limits.errors
        self._rules = tuple(own.get(rule) or _coded(rule) for rule in specified_rules)
        self._methods: dict[str, _Methods] = {}

    def check(self, document: DocumentNode) -> list[GraphQLError]:
        """What is wrong with the document: no error, or at most as many as will be told."""
        types = TypeInfo(self._schema)
        context = _Context(self._schema, document, types, self._enough)
        together = _Together([rule(context) for rule in self._rules], self._methods)
        try:
            visit(document, TypeInfoVisitor(types, together), _KEYS)
        except _Enough:
            pass
        except ValidationAbortedError:
            told = "Too many fields of the document share a response key to compare them all. Drop the repeated ones."
            context.errors.append(refusal("OVERLAP_LIMIT", told))
        return context.errors


def _coded(rule: type[ASTValidationRule]) -> type[ASTValidationRule]:
    return type(rule.__name__, (_Coded, rule), {"code": _CODES.get(rule, _Coded.code)})


def _code(error: GraphQLError, code: str, argument: str | None = None) -> None:
    """Put the code, the argument and, where nothing is suggested, the remedy on an error."""
    node = _node(error)
    if argument is None and isinstance(node, ArgumentNode):
        argument = node.name.value
    error.extensions = {"code": code} if argument is None else {"code": code, "argument": argument}
    if code in _REMEDIES and "Did you mean" not in error.message:
        error.message += " " + _REMEDIES[code]


def _node(error: GraphQLError) -> Node | None:
    return error.nodes[0] if error.nodes else None
