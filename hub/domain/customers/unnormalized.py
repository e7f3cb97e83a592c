"""Values that are not in their normal form, since an older row has that form: look-ups do not find them.

Migrations leave them, and so does SQL that inserts rows beside the API."""

from collections.abc import Sequence

from hub.db.pool import Connection
from hub.domain.customers.customers import normalize_identifier
from hub.errors import BadInput
from hub.model.entity import declared_entities
from hub.model.fields import GLOBAL, WITHIN_VISIBLE
from hub.model.unicode_text import single_line
from hub.schema.customers.customers import IdentifierKind

MAX_ROWS = 10_000  # of a table, that may not be in their normal form
# Rows that are not plainly in their normal form.
_IDENTIFIERS = """
select id, kind, normalized, source from identifiers
where source !~ '^[!-~]([ -~]*[!-~])?$' or normalized !~ case kind
    when 'EMAIL' then '^[a-z0-9._+@-]+$'
    when 'PHONE' then '^[0-9]+$'
    when 'FAX' then '^[0-9]+$'
    when 'TAX_ID' then '^[0-9A-Z]+$'
    when 'LOYALTY_ID' then '^[0-9A-Za-z]+$'
    else '^[!-~]([ -~]*[!-~])?$'
end
order by id limit $1
"""


async def find_unnormalized(connection: Connection) -> Sequence[str]:
    """Names each identifier and each unique text that is not in its normal form: type, id and value."""
    names = []
    for row in await connection.fetch(_IDENTIFIERS, MAX_ROWS):
        if not _is_normal(row["kind"], row["normalized"], row["source"]):
            names.append(f"Identifier idn_{row['id'].hex} {row['kind']} {row['normalized']!r} of {row['source']}")
    for entity in declared_entities():
        for name, column in entity.definition.columns.items():
            if column.options.unique not in (GLOBAL, WITHIN_VISIBLE) or column.options.check is not single_line:
                continue
            query = f"select id, {name} from {entity.table.name} where {name} !~ '^[!-~]([ -~]*[!-~])?$' order by id limit $1"
            prefix = entity.definition.options["prefix"]
            names += [
                f"{entity.__name__} {prefix}_{row['id'].hex} {name} {row[name]!r}"
                for row in await connection.fetch(query, MAX_ROWS)
                if not _is_single_line(row[name])
            ]
    return names


def _is_normal(kind: str, normalized: str, source: str) -> bool:
    try:
        # A number's normal form is that of E.164 without its sign.
        value = f"+{normalized}" if kind in ("PHONE", "FAX") else normalized
        return normalize_identifier(IdentifierKind[kind], value) == normalized and _is_single_line(source)
    except BadInput:
        return False


def _is_single_line(text: str) -> bool:
    try:
        return single_line(text) == text
    except ValueError:
        return False
