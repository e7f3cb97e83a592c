"""The SQL expression that writes signed cursors; hub/engine/cursors.py verifies and decodes them."""

import sqlalchemy as sa

from hub.engine.cursors import SIGNATURE_BYTES
from hub.engine.plan.list_nodes import CursorSigning
from hub.engine.sql.expressions import param, sql_literal


def signed_cursor_expression(cursor_signing: CursorSigning, keys: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The SQL expression that turns the text of a JSON array of keys into a cursor."""
    key = param(cursor_signing.signing_key)
    payload = sa.func.convert_to(keys, sql_literal("'UTF8'"))
    signature = sa.func.substring(
        sa.func.sha256(key.op("||")(sa.func.sha256(key.op("||")(payload)))),
        sql_literal("1"),
        sql_literal(str(SIGNATURE_BYTES)),
    )
    cursor = param(cursor_signing.list_fingerprint).op("||")(signature).op("||")(payload)
    text = sa.func.encode(cursor, sql_literal("'base64'"))
    return sa.func.translate(text, sql_literal("E'+/=\\n'"), sql_literal("'-_'"))
