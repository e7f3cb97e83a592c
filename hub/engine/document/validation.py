"""The validation rules of graphql-core, each with an error code, bounded in time and in the number of errors.

The library decides what is valid. This module adds the argument and the remedy to the errors, and makes the rules fast
enough for any document within the limits of limits.py.
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

from hub.engine.document.limits import Limits, graphql_error

# Rules that find nothing in a document without variables.
_VARIABLE_RULES = {NoUndefinedVariablesRule, NoUnusedVariablesRule, VariablesInAllowedPositionRule}

# A suggestion compares the unknown name with every known one, which costs milliseconds: only the first errors get one.
_MAX_SUGGESTIONS = 2

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

REMEDIES = {
    "FIELD_UNKNOWN": "The schema lists the fields of each type.",
    "ARGUMENT_UNKNOWN": "The schema lists the arguments of each field.",
    "ARGUMENT_MISSING": "Give it a value.",
    "VARIABLE_INVALID": "Declare each variable that is used, once, with the type of its place.",
    "DEPTH_LIMIT": "Ask for fewer lists inside lists.",
}

# A description is no value; as a child of a variable definition it would be mistaken for its default.
_KEYS = {
    node_kind: tuple(key for key in keys if key != "description") for node_kind, keys in QUERY_DOCUMENT_KEYS.items()
}


_MISSING = re.compile(r"Expected value of type '\w+' to include required field '(\w+)'")


class _ErrorLimitReached(Exception):
    """The limit of reported errors is reached."""


class _InvalidValue(Exception):
    """One error of a value is found; the others are not looked for."""


class _CollectingContext(ValidationContext):
    """Collects the errors of one document and stops at the limit."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, types: TypeInfo, max_errors: int) -> None:
        self.errors: list[GraphQLError] = []
        self._max_errors = max_errors
        super().__init__(schema, document, types, self._collect)

    @property
    def hide_suggestions(self) -> bool:
        return len(self.errors) >= _MAX_SUGGESTIONS

    def _collect(self, error: GraphQLError) -> None:
        if not error.extensions:
            # A few rules report through the context itself; only this one of them has a code.
            unknown = isinstance(_first_node(error), ArgumentNode)
            _set_code(error, "ARGUMENT_UNKNOWN" if unknown else _CodedRule.code)
        self.errors.append(error)
        if len(self.errors) >= self._max_errors:
            raise _ErrorLimitReached


class _CodedRule(ASTValidationRule):
    """Sets the rule's code on its errors."""

    code: ClassVar[str] = "GRAPHQL_INVALID"

    def report_error(self, error: GraphQLError) -> None:
        _set_code(error, self.code)
        super().report_error(error)


class _KnownTypesRule(_CodedRule, KnownTypeNamesRule):
    """The library's rule with a cheaper search for suggestions, which takes the library 25 ms for one name among 300."""

    def enter_named_type(self, node: NamedTypeNode, *_: Any) -> None:
        name = node.name.value
        type_map = cast(ValidationContext, self.context).schema.type_map
        if name not in type_map:
            suggestions = [] if self.context.hide_suggestions else get_close_matches(name, type_map, cutoff=0.7)
            self.report_error(GraphQLError(f"Unknown type '{name}'.{did_you_mean(suggestions)}", node))


class _ValuesRule(_CodedRule, ValuesOfCorrectTypeRule):
    """The library's rule; its errors also name the path of the argument whose value does not fit."""

    argument_path = ""

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        self.argument_path = node.name.value

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        self.argument_path = f"${node.variable.name.value}"

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        if input_type:
            with suppress(_InvalidValue):
                validate_input_literal(
                    node, input_type, self._report_invalid, hide_suggestions=self.context.hide_suggestions
                )
        return SKIP

    def _report_invalid(self, error: GraphQLError, path: list[str | int]) -> None:
        code = "VALUE_INVALID"
        parts = [self.argument_path, *path]
        if isinstance(node := _first_node(error), ObjectFieldNode):
            code = "ARGUMENT_UNKNOWN"
            parts.append(node.name.value)
        elif missing := _MISSING.match(error.message):
            code = "ARGUMENT_MISSING"
            parts.append(missing[1])
        argument_path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)[1:]
        noun = "Variable" if argument_path.startswith("$") else "Argument"
        error.message = f"{noun} '{argument_path}': {error.message.replace('not to be None', 'not to be null')}"
        _set_code(error, code, argument_path)
        self.context.report_error(error)
        # Each further error would print the whole value again.
        raise _InvalidValue


def _overlaps_rule(steps: int) -> type[ASTValidationRule]:
    """The library's rule with a limit 50 times lower: comparing fields that share a response key is quadratic."""

    class OverlapsRule(_CodedRule, OverlappingFieldsCanBeMergedRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = steps

    return OverlapsRule


class _RuleMethods(NamedTuple):
    """The methods that rules have for one kind of node, by the index of the rule: when it is entered, and when it is left."""

    enter: tuple[tuple[int, str], ...]
    leave: tuple[tuple[int, str], ...]


class _RuleSet(NamedTuple):
    """Rules that run together, and their methods by kind of node, which are filled in as kinds occur."""

    rules: tuple[type[ASTValidationRule], ...]
    methods: dict[str, _RuleMethods]


class _ParallelVisitor(ParallelVisitor):
    """Runs all rules at each node. The library's visitor asks every rule for methods that few of them have.

    Rules may continue or skip the subtree of a node; they may not end the visit or edit the tree."""

    def __init__(self, rules: Sequence[ASTValidationRule], methods: dict[str, _RuleMethods]) -> None:
        super().__init__(rules)
        self._rules = rules
        self._methods = methods  # by kind of node; the same for all documents
        self._skipped: list[int] = []  # the rules that skip a subtree, in the order in which they began

    def get_enter_leave_for_kind(self, node_kind: str) -> EnterLeaveVisitor:
        visitor = self.enter_leave_map.get(node_kind)
        if visitor is None:
            visitor = self.enter_leave_map[node_kind] = self._combined(node_kind)
        return visitor

    def _combined(self, node_kind: str) -> EnterLeaveVisitor:
        names = self._methods.get(node_kind)
        if names is None:
            names = self._methods[node_kind] = _rule_methods([type(rule) for rule in self._rules], node_kind)
        entering = [(number, getattr(self._rules[number], name)) for number, name in names.enter]
        leaving = [(number, getattr(self._rules[number], name)) for number, name in names.leave]
        if not entering and not leaving:
            return EnterLeaveVisitor(None, None)
        skipping, skipped = self.skipping, self._skipped

        def enter(node: Node, *where: Any) -> None:
            for number, method in entering:
                if skipping[number] is None and method(node, *where) is SKIP:
                    skipping[number] = node
                    skipped.append(number)

        def leave(node: Node, *where: Any) -> None:
            for number, method in leaving:
                if skipping[number] is None:
                    method(node, *where)
            while skipped and skipping[skipped[-1]] is node:
                skipping[skipped.pop()] = None

        return EnterLeaveVisitor(enter, leave)


def _rule_methods(rules: Sequence[type[ASTValidationRule]], node_kind: str) -> _RuleMethods:
    def with_method(*names: str) -> tuple[tuple[int, str], ...]:
        method_names = [next((name for name in names if getattr(rule, name, None)), None) for rule in rules]
        return tuple((number, name) for number, name in enumerate(method_names) if name)

    return _RuleMethods(with_method(f"enter_{node_kind}", "enter"), with_method(f"leave_{node_kind}", "leave"))


class DocumentValidator:
    """Validates documents that are within the limits, for one schema."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        replacements: dict[type[ASTValidationRule], type[ASTValidationRule]] = {
            KnownTypeNamesRule: _KnownTypesRule,
            ValuesOfCorrectTypeRule: _ValuesRule,
            OverlappingFieldsCanBeMergedRule: _overlaps_rule(limits.overlaps),
        }
        self._schema = schema
        self._max_errors = limits.errors
        rules = {rule: replacements.get(rule) or _coded_rule(rule) for rule in specified_rules}
        self._all_rules = _RuleSet(tuple(rules.values()), {})
        self._rules_without_variables = _RuleSet(
            tuple(coded for rule, coded in rules.items() if rule not in _VARIABLE_RULES), {}
        )

    def check(self, document: DocumentNode, has_variables: bool) -> list[GraphQLError]:
        """The errors of the document, at most as many as the limit. The rules of variables walk through it once more."""
        types = TypeInfo(self._schema)
        context = _CollectingContext(self._schema, document, types, self._max_errors)
        rule_set = self._all_rules if has_variables else self._rules_without_variables
        rules = [rule(context) for rule in rule_set.rules]
        visitor = _ParallelVisitor(rules, rule_set.methods)
        typed_visitor = TypeInfoVisitor(types, visitor)
        try:
            visit(document, typed_visitor, _KEYS)
        except _ErrorLimitReached:
            pass
        except ValidationAbortedError:
            message = (
                "Too many fields of the document share a response key to compare them all. Drop the repeated ones."
            )
            context.errors.append(graphql_error("OVERLAP_LIMIT", message, document.definitions[0]))
        errors = context.errors
        # Context, rules and visitors refer to each other, so without this they and the tree wait for the garbage collector.
        for rule in rules:
            vars(rule).clear()
        for part in (context, visitor, typed_visitor):
            vars(part).clear()
        return errors


def _coded_rule(rule: type[ASTValidationRule]) -> type[ASTValidationRule]:
    return type(rule.__name__, (_CodedRule, rule), {"code": _CODES.get(rule, _CodedRule.code)})


def _set_code(error: GraphQLError, code: str, argument: str | None = None) -> None:
    """Adds the code, the argument and, where there is no suggestion, the remedy to an error."""
    node = _first_node(error)
    if argument is None and isinstance(node, ArgumentNode):
        argument = node.name.value
    error.extensions = {"code": code} if argument is None else {"code": code, "argument": argument}
    if code in REMEDIES and "Did you mean" not in error.message:
        error.message += " " + REMEDIES[code]


def _first_node(error: GraphQLError) -> Node | None:
    return error.nodes[0] if error.nodes else None
