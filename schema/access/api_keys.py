"""API keys as those who administer see them. The key itself is stored nowhere; its hash is secret."""

from datetime import datetime

from hub.model import (
    GLOBAL,
    SELF,
    Column,
    DescribedEnum,
    Entity,
    PersonalData,
    administered,
    field,
    moved_with,
    resolver,
    to_one,
    validators,
)
from hub.schema.customers.customers import Customer
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit


class ApiKeyState(DescribedEnum):
    LIVING = "LIVING", "It opens the API."
    EXPIRED = "EXPIRED", "Its time is over."
    REVOKED = "REVOKED", "It was revoked, by hand or because its member of staff has left."


class ApiKey(
    Entity,
    prefix="key",
    owned_by=administered,
    permission="keys",
    operations=("update",),
    order="-created_at",
    # A merged customer's keys end: nobody gave them the survivor's rows.
    merge=moved_with(revoked_at="coalesce(t.revoked_at, {now})"),
    checks={
        "hash_is_sha256": "octet_length(hash) = 32",
        "previous_hash_is_sha256": "octet_length(previous_hash) = 32",
        "one_binding": "num_nonnulls(unit_id, customer_id) + follows_unit::integer <= 1",
        "staff_have_no_customer": "staff_id is null or customer_id is null",
        "staff_are_followed": "not follows_unit or staff_id is not null",
    },
):
    """A key that opens the API. Deleting what it is bound to deletes it: it must never become unbound."""

    public_id: Column[str] = field(
        "The part of the key that may be shown, logged and named.",
        unique=GLOBAL,
        upsert_key=False,
        writable="command",
        personal=PersonalData.TECHNICAL,
    )
    hash: Column[bytes] = field(
        "SHA-256 of the whole key; the key itself is not stored.", secret=True, personal=PersonalData.NOT_PERSONAL
    )
    previous_hash: Column[bytes | None] = field(
        "SHA-256 of the text that the key had before its last rotation.",
        secret=True,
        personal=PersonalData.NOT_PERSONAL,
    )
    previous_until: Column[datetime | None] = field(
        "Time until which the text before the last rotation opens the API too.",
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    name: Column[str] = field("Name of the key.", sortable=True, personal=PersonalData.FREE_TEXT)
    source: Column[str | None] = field(
        "The system that it is for, which says what the key writes; `manual` without one for people, else `api`.",
        check=validators.source_name,
        personal=PersonalData.TECHNICAL,
    )
    role: Column[str | None] = field(
        "Name of the role that it has by itself; empty for assigned roles only.",
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    follows_unit: Column[bool] = field(
        "Whether it sees the subtree of the unit where its member of staff works, and follows the person to another one.",
        default=False,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    allowed_networks: Column[list[str]] = field(
        "Networks that it may be used from, like 10.1.0.0/16 or 2001:db8::/32; empty for all.",
        default=[],
        server_default={},  # the empty array of Postgres
        check=validators.ip_networks,
        personal=PersonalData.TECHNICAL,
    )
    expires_at: Column[datetime | None] = field(
        "Time from which it is refused; empty for never.", personal=PersonalData.NOT_PERSONAL
    )
    revoked_at: Column[datetime | None] = field(
        "Time when it was revoked; empty while it lives.", writable="command", personal=PersonalData.NOT_PERSONAL
    )
    last_used_at: Column[datetime | None] = field(
        "Time of its last use, to the minute. Uses alone are no changes of the key.",
        writable="command",
        unlogged=True,
        personal=PersonalData.TECHNICAL,
    )
    unit = to_one(
        OrgUnit,
        "The unit whose subtree is all that it sees.",
        optional=True,
        on_delete="cascade",
        index=(),
        writable="command",
    )
    customer = to_one(
        Customer,
        "The only customer that it sees.",
        optional=True,
        on_delete="cascade",
        index=(),
        writable="command",
    )
    staff = to_one(
        Staff,
        "The member of staff whose key it is; empty for a system's.",
        optional=True,
        on_delete="cascade",
        index=(),
        writable="command",
    )
    session_of = to_one(
        SELF,
        "The key whose session it is: it acts as that key and ends with it; empty for a key of its own.",
        optional=True,
        on_delete="cascade",
        index=(),
        writable="command",
    )

    @resolver(revoked_at, expires_at)
    def state(self, revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> ApiKeyState:
        """Whether it opens the API now."""
        if revoked_at is not None and revoked_at <= now:
            return ApiKeyState.REVOKED
        return ApiKeyState.EXPIRED if expires_at is not None and expires_at <= now else ApiKeyState.LIVING
