"""The audit log: who read and wrote what, chained by digests. Only the sequencer writes it; see migrations/ for the chain."""

from datetime import datetime
from uuid import UUID

from hub.model import Column, DescribedEnum, Entity, PersonalData, administered, field, index, stays, to_one
from hub.schema.organisation.staff import Staff


class AuditKind(DescribedEnum):
    READ = "READ", "Personal data were read."
    WRITE = "WRITE", "Rows were created, changed or deleted."
    PERMISSION = "PERMISSION", "A role, a rule or an assignment changed."
    KEY = "KEY", "A key was issued, changed, used for a session or revoked."
    EXPORT = "EXPORT", "Data left the hub as a whole."
    MERGE = "MERGE", "Customers were merged or parted."
    ERASURE = "ERASURE", "A customer was erased."
    LOSS = "LOSS", "Reads could not be recorded: the buffer was full."


class AuditOperation(DescribedEnum):
    READ = "READ", "It was read."
    CREATE = "CREATE", "The row was created."
    UPDATE = "UPDATE", "The row was changed."
    DELETE = "DELETE", "The row was deleted."
    ERASED = "ERASED", "What it was is erased, with the customer whose it was."


class AuditEntry(
    Entity,
    prefix="aud",
    owned_by=administered,
    operations=(),
    captured=False,
    plural="auditLog",
    table="audit_entries",
    order="-created_at",
    sortable=("created_at",),
    indexes=(index("viewer_customer_id", where="viewer_customer_id is not null", name="viewer_customer_id"),),
):
    """What one caller did: a write with all its rows, or equal reads within a second. `createdAt` is when."""

    kind: Column[AuditKind] = field("What was done.", personal=PersonalData.NOT_PERSONAL)
    actor: Column[str | None] = field(
        "The key, as `key:` and its id; `db:` and a user for direct SQL. Empty once erased.",
        personal=PersonalData.TECHNICAL,
    )
    staff = to_one(Staff, "The member of staff behind the key.", optional=True, enforced=False, index=False)
    subject: Column[str | None] = field(
        "The subject of the token, if the caller sent a token.", personal=PersonalData.IDENTIFIER
    )
    network: Column[str | None] = field("The address that the request came from.", personal=PersonalData.TECHNICAL)
    operation: Column[str | None] = field(
        "The name of the operation, if the document names it.", personal=PersonalData.NOT_PERSONAL
    )
    document: Column[str | None] = field(
        "SHA-256 of the document, in hexadecimal digits.", personal=PersonalData.NOT_PERSONAL
    )
    root_fields: Column[list[str]] = field("The root fields of the operation.", personal=PersonalData.NOT_PERSONAL)
    requests: Column[list[str]] = field("The ids of the requests, up to a thousand.", personal=PersonalData.TECHNICAL)
    times: Column[int] = field("The number of requests.", personal=PersonalData.BEHAVIOUR)
    last_at: Column[datetime] = field("Time of the last request.", personal=PersonalData.BEHAVIOUR)
    viewer_customer_id: Column[UUID | None] = field(
        "The customer that the caller's key is bound to.", hidden=True, personal=PersonalData.NOT_PERSONAL
    )
    salt: Column[str | None] = field(
        "Hides the contents behind their digest; empty once they are erased.",
        hidden=True,
        personal=PersonalData.NOT_PERSONAL,
    )


class AuditTarget(
    Entity,
    prefix="aut",
    owned_by=administered,
    operations=(),
    captured=False,
    merge=stays("The audit log says what was; what it says of a merged customer is found by its former id."),
    order="-created_at",
    sortable=("created_at",),
    indexes=(
        index("row_ids", elements=True),
        index("customer_id", where="customer_id is not null", name="customer_id"),
    ),
):
    """A row, or a type of rows, that an entry of the audit log is about."""

    entry = to_one(AuditEntry, "The entry.", inverse=("targets", "What was read or written."), enforced=False, index=())
    entity: Column[str] = field(
        "The type of the row, or the name of its table. Empty once erased.", personal=PersonalData.NOT_PERSONAL
    )
    row_ids: Column[list[str]] = field(
        "The id of the row, or of the rows that a read names. Of an erased row, `~` and a digest.",
        personal=PersonalData.NOT_PERSONAL,
    )
    operation: Column[AuditOperation] = field("What happened to it.", personal=PersonalData.NOT_PERSONAL)
    fields: Column[list[str]] = field("The fields that were read or changed.", personal=PersonalData.NOT_PERSONAL)
    times: Column[int] = field("The number of requests.", personal=PersonalData.NOT_PERSONAL)
    ordinal: Column[int] = field("Its place in the entry, from 1.", hidden=True, personal=PersonalData.NOT_PERSONAL)
    customer_id: Column[UUID | None] = field(
        "The customer whose row it is, if known.", hidden=True, personal=PersonalData.NOT_PERSONAL
    )
    salt: Column[str | None] = field(
        "Hides the contents behind their digest; empty once they are erased.",
        hidden=True,
        personal=PersonalData.NOT_PERSONAL,
    )
