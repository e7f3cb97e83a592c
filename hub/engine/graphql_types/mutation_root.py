"""Builds the types of the mutation root: inputs, payloads, and the results of bulk mutations."""

from hub.engine.graphql_types import inputs
from hub.engine.graphql_types.command_signatures import InputType
from hub.engine.graphql_types.mutation_types import MutationField, MutationSet
from hub.engine.graphql_types.type_factory import FieldSpec, TypeFactory

ERROR_POLICIES = {
    "REJECT_ALL": "Nothing is written; the error lists the rows.",
    "REJECT_FAILED_ROWS": "The others are written; each row's result says what became of it.",
}


ROW_ERROR_FIELDS = (
    ("code", "str", "The stable code, as in the errors of an answer."),
    ("message", "str", "The argument, the fault and the remedy."),
    ("argument", "str | None", "Path of the argument at fault."),
    ("currentVersion", "int | None", "After a conflict, the row's version."),
    ("current", "Json | None", "After a conflict, what the fields at fault hold."),
)


RESULT_COUNTS = (("succeeded", "int", "How many rows were written."), ("failed", "int", "How many rows were refused."))


IDEMPOTENCY_KEY_DESCRIPTION = (
    "Makes the operation happen once: for 48 hours the same key and body get the same answer. At most 255 characters."
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
    """The type of one row's result, and the payload's field of them all."""
    fields = [
        FieldSpec(field.name, field.annotation.removesuffix(" | None") + " | None", field.description)
        for field in mutation.payload
    ]
    error = FieldSpec("error", "RowError | None", "Why the row was refused; null when it was not.")
    factory.output(mutation.result_type, f"What became of one row of {mutation.name}.", [*fields, error])
    return FieldSpec("results", f"list[{mutation.result_type}]", "What became of each row, in their order.")


def mutation_fields(factory: TypeFactory, mutations: MutationSet) -> list[FieldSpec]:
    """The types of all mutations; gives the fields of the root."""
    for name, enum_class in mutations.enums.items():
        if name not in factory.types:
            inputs.enum(factory, enum_class, "One of a closed set.")
    factory.value_enum(
        "ErrorPolicy", "What becomes of the others when a row of many is refused.", list(ERROR_POLICIES.items())
    )
    factory.output("RowError", "Why a row was refused.", [FieldSpec(*field) for field in ROW_ERROR_FIELDS])
    specs = []
    for mutation in mutations.by_name.values():
        if mutation.input.name not in factory.types:
            _input(factory, mutation.input)
        fields = [FieldSpec(part.name, part.annotation, part.description) for part in mutation.payload]
        if mutation.is_bulk:
            fields = [_result(factory, mutation), *(FieldSpec(*count) for count in RESULT_COUNTS)]
        factory.output(mutation.payload_type, f"What {mutation.name} gives.", fields)
        arguments = (
            FieldSpec("input", mutation.input.name, "What to do."),
            FieldSpec("idempotencyKey", "str | None", IDEMPOTENCY_KEY_DESCRIPTION),
        )
        specs.append(FieldSpec(mutation.name, mutation.payload_type, mutation.description, arguments))
    return specs
