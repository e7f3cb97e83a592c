"""Stored texts in their normal forms: NFC without invisible characters, canonical codes, compact tax and loyalty numbers.

Updates the rows whose text changes; the change log records each. Where rows collide, the oldest gets the normal form, the
others keep their spelling, and identity reviews name those of customers. Locks the changed rows until the transaction ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from hub.model import validators

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The rules are those of hub.model.validators as they are when this runs, so that a later rule leaves nothing to do here.
# Tables, columns and kinds are those of this revision.
BATCH_ROWS = 1000
TEXT = r"{0} ~ '[^ -~]|^ | $'"  # a text that may not be in its normal form, in SQL: a filter that saves reading all
CAPITALS = "{0} !~ '^[A-Z]+$'"
NORMALIZERS: Mapping[str, tuple[Callable[[str], str], str]] = {
    "line": (validators.single_line, TEXT),
    "lines": (validators.multi_line, "{0} is not nfc normalized or left({0}, 1) = U&'\\FEFF'"),
    "country": (validators.country, CAPITALS),
    "currency": (validators.currency, CAPITALS),
    "language": (validators.language, "{0} !~ '^[a-z]{{2}}(-[A-Z]{{2}})?$'"),
    "email": (validators.email, "{0} ~ '[^!-~]' or {0} <> lower({0})"),
}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "org_units": {"name": "line"},
    "products": {"name": "line", "category": "line", "packaging": "line", "currency": "currency"},
    "staff": {"name": "line", "title": "line", "email": "email"},
    "customers": {"name": "line", "country": "country", "language": "language", "currency": "currency"},
    "contacts": {"name": "line", "title": "line", "language": "language"},
    "addresses": {
        "street": "line",
        "city": "line",
        "region": "line",
        "postal_code": "line",
        "country": "country",
    },
    "contact_points": {"country": "country"},
    "orders": {"currency": "currency", "ship_to": "line", "ship_city": "line", "ship_country": "country"},
    "order_items": {"currency": "currency"},
    "interactions": {"subject": "line", "body": "lines"},
    "consents": {"source": "line"},
    "scores": {"band": "line"},
    "stage_moves": {"reason": "line"},
}
UNIQUE_COLUMNS = (("products", "sku"), ("staff", "number"), ("orders", "number"))

POINT_KINDS: Mapping[str, Callable[[str, str | None], str]] = {
    "EMAIL": lambda value, country: validators.email(value),
    **dict.fromkeys(("PHONE", "MOBILE", "FAX"), validators.phone),
}
IDENTIFIER_KINDS: Mapping[str, Callable[[str, str | None], str]] = {
    "EMAIL": lambda value, country: validators.email_identifier(value),
    **dict.fromkeys(("PHONE", "FAX"), validators.phone_identifier),
    "TAX_ID": lambda value, country: validators.tax_id(value),
    "LOYALTY_ID": lambda value, country: validators.loyalty_id(value),
}
POINTS = """
select id, kind, country, value from contact_points where id > :last and (
    value ~ '[^ -~]|^ | $' or kind in ('PHONE', 'MOBILE', 'FAX') and value !~ '^[+][0-9]+$'
) order by id limit :size
"""
IDENTIFIERS = """
select i.id, i.customer_id, i.kind, i.value, i.normalized, i.source, c.country
from identifiers as i join customers as c on c.id = i.customer_id
where i.id > :last and (
    concat(i.value, i.normalized, i.source) ~ '[^ -~]' or i.source <> btrim(i.source) or i.value <> btrim(i.value)
    or i.normalized <> case i.kind
        when 'TAX_ID' then upper(regexp_replace(i.normalized, '[^0-9A-Za-z]', '', 'g'))
        when 'LOYALTY_ID' then regexp_replace(i.normalized, '[^0-9A-Za-z]', '', 'g')
        when 'EMAIL' then lower(i.normalized)
        else btrim(i.normalized)
    end
    or i.kind in ('PHONE', 'FAX') and i.value !~ '^ *[+]'
) order by i.id limit :size
"""
SAME_IDENTIFIERS = """
select i.id, i.customer_id, i.kind, i.normalized, i.source
from unnest(cast(:kinds as text[]), cast(:normalized as text[])) as n (kind, normalized)
join identifiers as i on i.kind = n.kind and i.normalized = n.normalized
"""
REVIEW = """
insert into identity_reviews (customer_id, other_id, reason, status)
select p.customer, p.other, :reason, 'OPEN' from (select cast(:customer as uuid), cast(:other as uuid)) as p (customer, other)
where p.customer <> p.other and not exists (
    select from identity_reviews where (customer_id, other_id) in ((p.customer, p.other), (p.other, p.customer))
)
"""
SOURCE_SCOPED = ("EXTERNAL_ID", "DEVICE_ID", "ANONYMOUS_ID")

Key = tuple[str, ...]


def upgrade() -> None:
    connection = op.get_bind()
    for table, columns in COLUMNS.items():
        _normalize_columns(connection, table, columns)
    _normalize_points(connection)
    for table, column in UNIQUE_COLUMNS:
        _normalize_unique(connection, table, column)
    _normalize_identifiers(connection)


def downgrade() -> None:
    """The normal forms stay: the older rules accept them too."""


def _batches(connection: sa.Connection, query: str) -> Iterator[Sequence[Any]]:
    last = UUID(int=0)
    while rows := connection.execute(sa.text(query), {"last": last, "size": BATCH_ROWS}).all():
        yield rows
        last = rows[-1].id


def _normalized(normalize: Callable[..., str], *values: Any) -> str | None:
    """The normal form; None for null and for a value that today's rules refuse, which stays as it is."""
    try:
        return None if values[0] is None else normalize(*values)
    except ValueError:
        return None


def _normalize_columns(connection: sa.Connection, table: str, columns: Mapping[str, str]) -> None:
    conditions = " or ".join(NORMALIZERS[name][1].format(column) for column, name in columns.items())
    query = f"select id, {', '.join(columns)} from {table} where id > :last and ({conditions}) order by id limit :size"
    assignments = ", ".join(f"{column} = :{column}" for column in columns)
    update = sa.text(f"update {table} set {assignments} where id = :id")
    for rows in _batches(connection, query):
        changes = []
        for row in rows:
            values = row._asdict()
            for column, name in columns.items():
                values[column] = _normalized(NORMALIZERS[name][0], values[column]) or values[column]
            if values != row._asdict():
                changes.append(values)
        if changes:
            connection.execute(update, changes)


def _normalize_points(connection: sa.Connection) -> None:
    update = sa.text("update contact_points set value = :value where id = :id")
    for rows in _batches(connection, POINTS):
        changes = []
        for row in rows:
            normalize = POINT_KINDS.get(row.kind, lambda value, country: validators.single_line(value))
            value = _normalized(normalize, row.value, row.country)
            if value is not None and value != row.value:
                changes.append({"id": row.id, "value": value})
        if changes:
            connection.execute(update, changes)


def _normalize_unique(connection: sa.Connection, table: str, column: str) -> None:
    query = f"select id, {column} from {table} where id > :last and ({TEXT.format(column)}) order by id limit :size"
    same = sa.text(f"select id, {column} from {table} where {column} = any(cast(:values as text[]))")
    for rows in _batches(connection, query):
        forms = {row.id: form for row in rows if (form := _normalized(validators.single_line, row[1]))}
        holders = {row[1]: row.id for row in connection.execute(same, {"values": [*forms.values()]})}
        for row in rows:
            form = forms.get(row.id)
            if form is not None and form != row[1]:
                _claim(connection, table, (column,), row.id, (row[1],), (form,), holders.get(form))
                holders[form] = min(row.id, holders.get(form, row.id))


def _claim(
    connection: sa.Connection,
    table: str,
    columns: Key,
    row_id: UUID,
    spelling: Key,
    form: Key,
    holder: UUID | None,
) -> None:
    """Gives a row its normal form, unless an older row has it; a younger one takes the row's spelling in exchange."""
    update = sa.text(f"update {table} set {', '.join(f'{c} = :{c}' for c in columns)} where id = :id")

    def store(key: UUID, values: Key) -> None:
        connection.execute(update, {"id": key, **dict(zip(columns, values, strict=True))})

    if holder is None:
        store(row_id, form)
    elif row_id < holder:
        store(holder, (f"{form[0]} {holder}", *form[1:]))
        store(row_id, form)
        store(holder, spelling)


def _normalize_identifiers(connection: sa.Connection) -> None:
    update = sa.text("update identifiers set value = :value where id = :id and value <> :value")
    for rows in _batches(connection, IDENTIFIERS):
        forms = {row.id: _identifier_form(row) for row in rows}
        arguments = {"kinds": [row.kind for row in rows], "normalized": [forms[row.id][0] for row in rows]}
        # By kind and form: source and customer of every identifier that has it.
        holders: dict[Key, dict[UUID, tuple[str, UUID]]] = {}
        for same in connection.execute(sa.text(SAME_IDENTIFIERS), arguments):
            holders.setdefault((same.kind, same.normalized), {})[same.id] = (same.source, same.customer_id)
        connection.execute(
            update,
            [{"id": row.id, "value": _normalized(validators.single_line, row.value) or row.value} for row in rows],
        )
        for row in rows:
            if forms[row.id] != (row.normalized, row.source):
                _normalize_identifier(
                    connection, row, forms[row.id], holders.setdefault((row.kind, forms[row.id][0]), {})
                )


def _identifier_form(row: Any) -> Key:
    """The compared form and the source of an identifier, normalised."""
    normalize = IDENTIFIER_KINDS.get(row.kind, lambda value, country: validators.single_line(value))
    form = _normalized(normalize, row.value, row.country) or row.normalized
    return form, _normalized(validators.single_line, row.source) or row.source


def _normalize_identifier(
    connection: sa.Connection, row: Any, form: Key, holders: dict[UUID, tuple[str, UUID]]
) -> None:
    source = form[1]
    holder = next((key for key, (system, _) in holders.items() if system == source and key != row.id), None)
    _claim(connection, "identifiers", ("normalized", "source"), row.id, (row.normalized, row.source), form, holder)
    for key, (system, customer) in holders.items():
        if key == row.id or (system != source and row.kind in SOURCE_SCOPED):
            continue
        younger, older = (row.customer_id, customer) if key < row.id else (customer, row.customer_id)
        reason = f"{row.kind} {row.value} of {row.source}: both customers have it, in different spellings"
        connection.execute(sa.text(REVIEW), {"customer": younger, "other": older, "reason": reason[:1000]})
    if holder is None or row.id < holder:
        if holder is not None:
            del holders[holder]
        holders[row.id] = (source, row.customer_id)
