"""Builds the types of the mutation root: inputs, payloads, and the results of bulk mutations."""

from hub.engine.graphql_types import inputs
from hub.engine.graphql_types.command_signatures import InputType
from hub.engine.graphql_types.mutation_types import MutationField, MutationSet
from hub.engine.graphql_types.type_factory import FieldSpec, TypeFactory

ERROR_POLICIES = {
    "REJECT_ALL": "Nothing is written; the error lists the rows.",
    "REJECT_FAILED_ROWS": "The other rows are written; each result holds the row or its error.",
}


ROW_ERROR_FIELDS = (
    ("code", "str", "The error code, as in the errors of a response."),
    ("message", "str", "The argument, the fault and the remedy."),
    ("argument", "str | None", "Path of the argument at fault."),
    ("currentVersion", "int | None", "After a version conflict, the row's version."),
    ("current", "Json | None", "After a version conflict, the current values of the conflicting fields."),
)


RESULT_COUNTS = (("succeeded", "int", "Number of rows written."), ("failed", "int", "Number of rows rejected."))


IDEMPOTENCY_KEY_DESCRIPTION = (
    "Makes the operation run once: for 48 hours the same key and body return the same response. At most 255 characters."
)


def _input(factory: TypeFactory, input_type: InputType) -> None:
    for field in input_type.fields:
        if field.inner is not None and field.inner.name not in factory.types:
            _input(factory, field.inner)
    specs = [
        FieldSpec(f.name, f.annotation + ("" if f.required else " | None"), f.description) for f in input_type.fields
    ]
    factory.input(input_type.name, input_type.description, specs)


def _result(factory: TypeFactory, mutation: MutationField) -> FieldSpec:
    """Adds the type of one row's result; returns the payload field `results`."""
    fields = [
        FieldSpec(field.name, field.annotation.removesuffix(" | None") + " | None", field.description)
        for field in mutation.payload
    ]
    error = FieldSpec("error", "RowError | None", "Error of a rejected row; null for a written row.")
    factory.output(mutation.result_type, f"Result of one row of {mutation.name}.", [*fields, error])
    return FieldSpec("results", f"list[{mutation.result_type}]", "Results in the order of the rows.")


def mutation_fields(factory: TypeFactory, mutations: MutationSet) -> list[FieldSpec]:
    """Adds the types of all mutations; returns the fields of the mutation root."""
    for name, enum_class in mutations.enums.items():
        if name not in factory.types:
            inputs.enum(factory, enum_class, "An enumeration.")
    factory.value_enum(
        "ErrorPolicy", "Effect of a rejected row on the other rows of a bulk mutation.", list(ERROR_POLICIES.items())
    )
    factory.output("RowError", "Error of a rejected row.", [FieldSpec(*field) for field in ROW_ERROR_FIELDS])
    specs = []
    for mutation in mutations.by_name.values():
        if mutation.input.name not in factory.types:
            _input(factory, mutation.input)
        fields = [FieldSpec(part.name, part.annotation, part.description) for part in mutation.payload]
        if mutation.is_bulk:
            fields = [_result(factory, mutation), *(FieldSpec(*count) for count in RESULT_COUNTS)]
        factory.output(mutation.payload_type, f"Payload of {mutation.name}.", fields)
        arguments = (
            FieldSpec("input", mutation.input.name, "Input of the mutation."),
            FieldSpec("idempotencyKey", "str | None", IDEMPOTENCY_KEY_DESCRIPTION),
        )
        specs.append(FieldSpec(mutation.name, mutation.payload_type, mutation.description, arguments))
    return specs
