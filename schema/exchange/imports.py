"""Lines that imports refused, with their reasons. Only imports write them."""

from hub.model import Column, Entity, Json, PersonalData, field, key_or_person, to_one
from hub.schema.jobs.jobs import Job
from hub.schema.organisation.staff import Staff


class ImportReject(
    Entity,
    prefix="rej",
    owned_by=key_or_person,
    permission="jobs",
    writable_by=("unit",),
    operations=(),
    captured=False,
    order="line",
):
    """A line of a file that an import refused: nothing of it was written."""

    job = to_one(Job, "The import.", on_delete="cascade", index=("line", "id"))
    line: Column[int] = field("Number of its first line in the file, from 1.", sortable=True)
    code: Column[str] = field("Code of the error.", personal=PersonalData.NOT_PERSONAL)
    message: Column[str] = field("Why it was refused, and what to do.", personal=PersonalData.FREE_TEXT)
    row: Column[str | None] = field("The row of the mapping that was refused.", personal=PersonalData.NOT_PERSONAL)
    argument: Column[str | None] = field("The field that was refused.", personal=PersonalData.NOT_PERSONAL)
    columns: Column[list[str]] = field("The columns that the field reads.", personal=PersonalData.NOT_PERSONAL)
    record: Column[Json] = field("The line's values by column.", personal=PersonalData.FREE_TEXT)
    text: Column[str | None] = field(
        "The line as it stands in the file, if it could not be read into columns.", personal=PersonalData.FREE_TEXT
    )
    staff = to_one(Staff, "The person behind the key that started it.", optional=True, on_delete="set null")
