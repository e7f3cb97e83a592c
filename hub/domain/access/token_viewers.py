"""Who a verified token stands for: its claims in the hub's terms, and the viewer that they lead to now.

Verifying tokens is web/tokens.py's. Several tokens are looked up together, because open connections are rechecked so."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid5

import sqlalchemy as sa

from hub import client_limits
from hub.client_limits import ClientLimits
from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.access import roles
from hub.domain.access.api_keys import left_at
from hub.domain.access.unit_subtrees import BINDING_COLUMNS
from hub.domain.customers.customers import canonical_identifier
from hub.errors import BadInput, Unauthenticated
from hub.model import validators
from hub.rights import RoleVersion
from hub.schema.access.roles import AccessRole, RoleAssignment
from hub.schema.customers.customers import Customer, Identifier, IdentifierKind
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.token_issuers import CustomerMapping, StaffMapping, TokenIssuer
from hub.viewer import Role, Viewer

# Viewers of tokens have no row; this namespace gives the same person the same identity with every token.
PRINCIPALS = UUID("5b0d6c0e-6d0e-5c53-9f0f-2f0f6f4e1a18")
MAX_REFERENCE_LENGTH = 320  # the longest e-mail address
MAX_SUBJECT_LENGTH = 255  # OpenID Connect Core, section 2
NO_ROLE_REASON = "it has no role in this hub; ask whoever looks after the hub for one"

sa.Index("ix_staff_lower_email", sa.func.lower(Staff.c.email))

_references = sa.bindparam("references", type_=sa.ARRAY(sa.Text))
_texts = sa.func.any(_references)
_uuids = sa.func.any(sa.cast(_references, sa.ARRAY(sa.Uuid)))


def _staff_sql(reference: sa.ColumnElement[Any], condition: sa.ColumnElement[bool] | None = None) -> str:
    joined = Staff.table.join(OrgUnit.table, OrgUnit.c.id == Staff.c.unit_id)
    columns = (reference.label("reference"), Staff.c.id, Staff.c.name, Staff.c.left_on, *BINDING_COLUMNS)
    where = reference.op("=")(_texts) if condition is None else condition
    return to_sql(sa.select(*columns).select_from(joined).where(where))


_STAFF_SQL = {
    "email": _staff_sql(sa.func.lower(Staff.c.email)),
    "id": _staff_sql(sa.cast(Staff.c.id, sa.Text), Staff.c.id.op("=")(_uuids)),
    "number": _staff_sql(Staff.c.number),
}
_CUSTOMERS_BY_ID = to_sql(
    sa.select(sa.cast(Customer.c.id, sa.Text).label("reference"), Customer.c.id, sa.true().label("verified")).where(
        Customer.c.id.op("=")(_uuids)
    )
)
_identifiers = sa.select(
    Identifier.c.normalized.label("reference"), Identifier.c.customer_id.label("id"), Identifier.c.verified
).where(Identifier.c.kind == sa.bindparam("kind", type_=sa.Text), Identifier.c.normalized == _texts)
_CUSTOMERS_BY_IDENTIFIER = to_sql(_identifiers)
_CUSTOMERS_BY_SCOPED_IDENTIFIER = to_sql(
    _identifiers.where(Identifier.c.source == sa.bindparam("source", type_=sa.Text))
)
_UNITS = to_sql(
    sa.select(sa.cast(OrgUnit.c.id, sa.Text).label("key"), OrgUnit.c.code, *BINDING_COLUMNS).where(
        sa.or_(sa.cast(OrgUnit.c.id, sa.Text) == _texts, OrgUnit.c.code == _texts)
    )
)
_role = AccessRole.table
_label = _role.c.name + sa.literal_column("':'", sa.Text) + _role.c.digest
_ROLES_SQL = to_sql(
    sa.select(_role.c.name, _label.label("label"), sa.null().label("staff_id"))
    .where(_role.c.name.op("=")(sa.func.any(sa.bindparam("names", type_=sa.ARRAY(sa.Text)))))
    .union_all(
        sa.select(sa.null(), _label, RoleAssignment.c.staff_id)
        .select_from(_role.join(RoleAssignment.table, RoleAssignment.c.role_id == _role.c.id))
        .where(RoleAssignment.c.staff_id.op("=")(sa.func.any(sa.bindparam("staff_ids", type_=sa.ARRAY(sa.Uuid)))))
    )
)


@dataclass(frozen=True, slots=True)
class TokenSubject:
    """What a verified token says about its bearer, in the hub's terms."""

    issuer: TokenIssuer
    subject: str
    reference: str | None  # what names the member of staff, the customer or the unit, in normal form
    roles: tuple[str, ...]

    @property
    def principal(self) -> str:
        """Issuer and subject in characters that no log or statement takes for anything else."""
        return f"{quote(self.issuer.issuer, safe=':/')}|{quote(self.subject, safe=':/@|')}"

    @property
    def identity(self) -> UUID:
        """The same for all tokens of the same person."""
        return uuid5(PRINCIPALS, self.principal)


def unmapped(reason: str) -> Unauthenticated:
    """The error for a token that is valid and stands for nobody."""
    return Unauthenticated(f"The token is valid, but {reason}.", code="TOKEN_UNMAPPED")


def read_subject(issuer: TokenIssuer, claims: Mapping[str, Any]) -> TokenSubject:
    """Reads the claims by the issuer's mapping; raises Unauthenticated with TOKEN_UNMAPPED if one is missing."""
    reference = None
    if issuer.staff is not None:
        path = issuer.staff.claim
        reference = _staff_reference(issuer.staff, _reference(claims, path))
        _require_verified(issuer, claims, path, is_email=issuer.staff.by == "email")
    elif issuer.customer is not None:
        path = issuer.customer.claim
        reference = _customer_reference(issuer.customer, _reference(claims, path))
        _require_verified(issuer, claims, path, is_email=issuer.customer.by == "EMAIL")
    elif issuer.unit is not None:
        reference = _database_id(_reference(claims, issuer.unit.claim))
    return TokenSubject(issuer, claims["sub"], reference, _read_roles(issuer, claims))


def _read_roles(issuer: TokenIssuer, claims: Mapping[str, Any]) -> tuple[str, ...]:
    if issuer.customer is not None:
        return (issuer.customer.role,)
    value = _claim(claims, issuer.roles.claim) if issuer.roles.claim is not None else None
    values = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    listed = [role for text in values if isinstance(text, str) for role in issuer.roles.values.get(text, ())]
    return tuple(dict.fromkeys(listed or issuer.roles.default))


def _claim(claims: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = claims
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _reference(claims: Mapping[str, Any], path: Sequence[str]) -> str:
    value = _claim(claims, path)
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_REFERENCE_LENGTH:
        raise unmapped(f"its claim {'.'.join(path)} is missing or no text; have the issuer add it")
    # An issuer may tell apart what normal forms here do not: such a text would open another one's account.
    if value != value.strip() or not value.isprintable():
        raise unmapped(
            f"its claim {'.'.join(path)} has spaces around it or invisible characters; have the issuer mend it"
        )
    return value


def _require_verified(issuer: TokenIssuer, claims: Mapping[str, Any], path: Sequence[str], *, is_email: bool) -> None:
    # Whoever may enter any address at the issuer would otherwise become anybody here.
    if is_email and not issuer.trust_email and _claim(claims, (*path[:-1], "email_verified")) not in (True, "true"):
        raise unmapped("its issuer has not verified the e-mail address; confirm it there, then sign in again")


def _staff_reference(mapping: StaffMapping, value: str) -> str:
    if mapping.by == "email":
        try:
            address = validators.email(value)
        except ValueError:
            raise _nobody("member of staff") from None
        return _same_text(address, value, "member of staff").lower()
    return value if mapping.by == "number" else _uuid_text(value, "member of staff")


def _customer_reference(mapping: CustomerMapping, value: str) -> str:
    if mapping.by == "id":
        return _uuid_text(value, "customer")
    try:
        reference = canonical_identifier(IdentifierKind[mapping.by], value, None)
    except (BadInput, ValueError):
        raise _nobody("customer") from None
    # Numbers may be written in several ways; keys of other systems and addresses may not.
    return (
        reference
        if mapping.by in ("PHONE", "FAX", "TAX_ID", "LOYALTY_ID")
        else _same_text(reference, value, "customer")
    )


def _same_text(normalized: str, value: str, noun: str) -> str:
    """The normal form; raises Unauthenticated where it is another text than the claim, but for small letters in ASCII."""
    if normalized != value and (normalized.lower() != value.lower() or not value.isascii()):
        raise _nobody(noun)
    return normalized


def _nobody(noun: str) -> Unauthenticated:
    return unmapped(f"it stands for no {noun} of this hub; ask whoever looks after the hub to add it")


def _database_id(text: str) -> str:
    """An id of the API (`unt_0192…`) or a UUID in the form of the database; any other text unchanged."""
    try:
        return str(UUID(text.rpartition("_")[2]))
    except ValueError:
        return text


def _uuid_text(text: str, noun: str) -> str:
    try:
        return str(UUID(text.rpartition("_")[2]))
    except ValueError:
        raise _nobody(noun) from None


async def find_viewers(
    connection: Connection, subjects: Sequence[TokenSubject], now: datetime
) -> list[Viewer | Unauthenticated]:
    """Looks up whom the subjects stand for now; gives each one's viewer, or the error if there is none."""
    by_issuer: dict[TokenIssuer, list[TokenSubject]] = {}
    for subject in subjects:
        by_issuer.setdefault(subject.issuer, []).append(subject)
    people: dict[TokenSubject, Viewer | Unauthenticated] = {}
    for issuer, members in by_issuer.items():
        rows = await _find_rows(connection, issuer, {subject.reference for subject in members if subject.reference})
        people.update({subject: _identify(subject, rows, now) for subject in members})
    viewers = {subject: viewer for subject, viewer in people.items() if isinstance(viewer, Viewer)}
    people.update(await _add_roles(connection, viewers))
    return [people[subject] for subject in subjects]


async def _add_roles(
    connection: Connection, viewers: Mapping[TokenSubject, Viewer]
) -> dict[TokenSubject, Viewer | Unauthenticated]:
    """The viewers with the roles that their tokens name and that their members of staff were assigned."""
    names = sorted({name for subject in viewers for name in subject.roles})
    staff_ids = sorted({viewer.staff_id for viewer in viewers.values() if viewer.staff_id is not None})
    rows = await connection.fetch(_ROLES_SQL, names, staff_ids) if names or staff_ids else []
    versions = await roles.find_versions(connection, {row["label"] for row in rows})
    results: dict[TokenSubject, Viewer | Unauthenticated] = {}
    for subject, viewer in viewers.items():
        labels = {
            row["label"]
            for row in rows
            if row["name"] in subject.roles or (row["staff_id"] is not None and row["staff_id"] == viewer.staff_id)
        }
        stored = [versions[label] for label in labels if label in versions]
        held = roles.effective_roles(subject.roles, stored)
        limits = client_limits.combine(client_limits.NO_LIMITS, stored or held)
        no_role = held == (roles.NO_ROLE,)
        results[subject] = unmapped(NO_ROLE_REASON) if no_role else _with_roles(viewer, held, limits)
    return results


def _with_roles(viewer: Viewer, held: tuple[RoleVersion, ...], limits: ClientLimits) -> Viewer:
    built_in = roles.built_in(held)
    return replace(viewer, role=built_in or Role.READER, roles=() if built_in else held, limits=limits)


async def _find_rows(connection: Connection, issuer: TokenIssuer, references: Iterable[str]) -> dict[str, list[Any]]:
    """The rows of staff, customers or units that the references name."""
    texts = sorted(references)
    rows: Sequence[Any]
    if not texts:
        return {}
    if issuer.staff is not None:
        rows = await connection.fetch(_STAFF_SQL[issuer.staff.by], texts)
    elif issuer.customer is not None and issuer.customer.by == "id":
        rows = await connection.fetch(_CUSTOMERS_BY_ID, texts)
    elif issuer.customer is not None and issuer.customer.source is None:
        rows = await connection.fetch(_CUSTOMERS_BY_IDENTIFIER, issuer.customer.by, texts)
    elif issuer.customer is not None:
        sql = _CUSTOMERS_BY_SCOPED_IDENTIFIER
        rows = await connection.fetch(sql, issuer.customer.by, texts, issuer.customer.source)
    else:
        rows = await connection.fetch(_UNITS, texts)
    by_reference: dict[str, list[Any]] = {}
    for row in rows:
        for reference in (row["key"], row["code"]) if "key" in row else (row["reference"],):
            by_reference.setdefault(reference, []).append(row)
    return by_reference


def _identify(subject: TokenSubject, rows: Mapping[str, Sequence[Any]], now: datetime) -> Viewer | Unauthenticated:
    """The viewer whom a subject stands for, without its roles."""
    issuer, matches = subject.issuer, rows.get(subject.reference or "", ())
    viewer = Viewer(subject.identity, Role.READER, principal=subject.principal, name=subject.subject)
    if issuer.customer is not None:
        customers = {row["id"] for row in matches if row["verified"]} or {row["id"] for row in matches}
        return replace(viewer, customer_id=customers.pop()) if len(customers) == 1 else _nobody("customer")
    if issuer.staff is not None:
        present = [row for row in matches if (end := left_at(row["left_on"])) is None or end > now]
        if matches and not present:
            message = "The token is valid, but the member of staff whom it stands for has left."
            return Unauthenticated(message, code="TOKEN_STAFF_LEFT")
        if len(present) != 1:  # two people with one address are nobody
            return _nobody("member of staff")
        person = replace(viewer, staff_id=present[0]["id"], name=present[0]["name"])
        return _bind(person, present[0]) if issuer.staff.bound else person
    if issuer.unit is not None:
        return _bind(viewer, matches[0]) if len(matches) == 1 else _nobody("unit")
    return viewer


def _bind(viewer: Viewer, row: Mapping[str, Any]) -> Viewer:
    return replace(viewer, unit_path=row["unit_path"], unit_ids=tuple(row["unit_ids"]))
