"""Comments of tables and columns, which are the descriptions of the schema, in plain English.

COMMENT ON changes the catalog only. It locks each table SHARE UPDATE EXCLUSIVE until the transaction ends; reads and
writes go on."""

from collections.abc import Sequence

from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# By table: the column, or an empty text for the table itself, and the comment before and after.
COMMENTS: dict[str, tuple[tuple[str, str | None, str | None], ...]] = {
    "addresses": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("customer_id", "The customer that the row belongs to.", "The customer at the address."),
        ("kind", "What the address is for.", "Purpose of the address."),
        ("street", "Street and number, or what stands for it.", "Street and number, or its equivalent."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
    ),
    "api_keys": (
        (
            "hash",
            "SHA-256 of the whole key; the key itself is not kept.",
            "SHA-256 of the whole key; the key itself is not stored.",
        ),
        ("name", "What its keeper calls it.", "Name of the key."),
    ),
    "consents": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        (
            "purpose",
            "What for, in words joined by dots: `marketing.newsletter`.",
            "Purpose, in small words joined by dots: `marketing.newsletter`.",
        ),
        (
            "channel",
            "Through which channel; empty for every one.",
            "Channel that the answer is for; empty for every one.",
        ),
        ("status", "What the customer answered.", "The customer's answer."),
        (
            "evidence",
            "What proves it: the wording shown, the form, the call.",
            "Proof of the answer: the wording shown, the form, the call.",
        ),
        ("given_at", "When the customer answered.", "Time when the customer answered."),
        (
            "expires_at",
            "When the answer ceases to count; empty for never.",
            "Time when the answer expires; empty for never.",
        ),
        ("superseded_at", "When a newer answer took its place.", "Time when a newer answer replaced it."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
        (
            "",
            "What a customer answered when asked whether data may be used.",
            "A customer's answer to the question whether data may be used.",
        ),
    ),
    "contact_points": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("value", "The address or number, as it was given.", "The address or number, as it was received."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
    ),
    "contacts": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("customer_id", "The customer that the row belongs to.", "The person's customer."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
    ),
    "customers": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("stage", "Where the customer stands in the lifecycle.", "Position of the customer in the lifecycle."),
        (
            "unit_id",
            "The unit that owns the customer; rights follow it.",
            "The unit that owns the customer; permissions follow it.",
        ),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
    ),
    "idempotency_records": (
        ("answer", "The answer.", "The response."),
        (
            "boxed",
            "Whether the answer lies in a box that the key opens.",
            "Whether the response is encrypted with the idempotency key.",
        ),
        (
            "stored_at",
            "When it was given; it is forgotten 48 hours later.",
            "When it was stored; it is deleted 48 hours later.",
        ),
        (
            "",
            "Answers to operations with an idempotency key, kept in the transaction that did the work.",
            "Responses to operations with an idempotency key, stored in the transaction of the operation.",
        ),
    ),
    "identifiers": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("kind", "What sort of identifier it is.", "Type of the identifier."),
        ("value", "As it was received.", "The identifier as it was received."),
        ("normalized", "In the form that is compared.", "The identifier in the form that is compared."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
        (
            "",
            "Something a customer is known by: an e-mail address, a telephone number, a key in another system.",
            "An identifier of a customer: an e-mail address, a telephone number, a key in another system.",
        ),
    ),
    "identity_reviews": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("other_id", "The customer who it may be.", "The customer who may be the same."),
        ("reason", "What speaks for it.", "Evidence that they are the same."),
        ("status", "Whether somebody has decided, and how.", "Whether a person has decided, and how."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
        ("", "A doubt whether two customers are one.", "Two customers who may be the same."),
    ),
    "interactions": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("customer_id", "The customer that the row belongs to.", "The customer who took part."),
        ("channel", "The way it came about.", "The channel that it happened on."),
        ("direction", "Who turned to whom.", "The direction that it went in."),
        (
            "kind",
            "What happened, in words joined by dots: `order.taken`.",
            "Type of the interaction, in small words joined by dots: `order.taken`.",
        ),
        ("subject", "What it was about, in one line.", "Subject, in one line."),
        ("body", "What was said, in full.", "Content, in full."),
        ("occurred_at", "When it happened.", "Time when it happened."),
        ("staff_id", "Who took part for the business.", "The member of staff who took part."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
    ),
    "order_items": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("product_id", "What was ordered.", "The product that was ordered."),
        ("quantity", "How many units.", "Number of units."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
    ),
    "orders": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("customer_id", "The customer that the row belongs to.", "The customer who ordered."),
        ("status", "How far the order has come.", "Progress of the order."),
        ("placed_at", "When the customer ordered.", "Time when the customer ordered."),
        ("required_at", "When the goods are due.", "Time when the goods are due."),
        (
            "shipped_at",
            "When the goods were sent; empty while they wait.",
            "Time when the goods were sent; empty while they wait.",
        ),
        ("freight", "What sending costs.", "Cost of sending."),
        ("ship_city", "City where the goods go.", "City of the delivery address."),
        (
            "ship_country",
            "ISO 3166-1 alpha-2 code of the country where the goods go.",
            "ISO 3166-1 alpha-2 code of the country of the delivery address.",
        ),
        ("staff_id", "Who took the order.", "The member of staff who took the order."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
        (
            "",
            "What a customer ordered, on what terms, and how far it has come.",
            "A customer's order: its terms and its progress.",
        ),
    ),
    "org_units": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("name", "What people call the unit.", "Name of the unit."),
        (
            "path",
            "Codes from the root to the unit, joined by dots.",
            "The codes from the root to the row, joined by dots.",
        ),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
    ),
    "products": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("packaging", "What one unit holds.", "Contents of one unit."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
        ("", "A thing on the price list.", "An item on the price list."),
    ),
    "scores": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("value", "The model's figure; its unit is the model's.", "The model's value; its unit is the model's."),
        (
            "band",
            "The figure's class within its model, `1` (worst) to `5` (best) for RFM.",
            "The value's class within its model, `1` (worst) to `5` (best) for RFM.",
        ),
        (
            "reasons",
            "Why the value is what it is: a list of facts, each with its figure.",
            "Reasons of the value: a list of facts, each with its number.",
        ),
        ("computed_at", "The moment that the score describes.", "Time that the score describes."),
        (
            "superseded_at",
            "When a newer score of the model took its place.",
            "Time when a newer score of the model replaced it.",
        ),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
        (
            "",
            "A figure that a model gave a customer at a moment, with its reasons.",
            "A value that a model computed for a customer at a moment, with its reasons.",
        ),
    ),
    "secrets": (
        (
            "",
            "Secrets of the hub itself. Whoever can read this table can forge cursors, though never rights.",
            "Secrets of the hub itself. A reader of this table can forge cursors, but no permissions.",
        ),
    ),
    "staff": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
    ),
    "stage_moves": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("from_stage", "Where the customer stood.", "The stage before the move."),
        ("to_stage", "Where the customer stands since.", "The stage after the move."),
        ("reason", "Why, in one line.", "Reason for the move, in one line."),
        ("moved_at", "When the customer moved.", "Time of the move."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
    ),
    "webhook_attempts": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("owner", "The id of the key with whose rights it is told.", "The id of the key with whose rights it is sent."),
        ("delivery_id", "What was sent.", "The delivery that was attempted."),
        ("number", "Which attempt it was, from 1.", "Number of the attempt, from 1."),
        (
            "status_code",
            "What the receiver answered; empty when it did not.",
            "HTTP status of the response; empty when there was none.",
        ),
        (
            "milliseconds",
            "How long it took, from the resolver to the answer.",
            "Duration of the attempt, from name resolution to the response.",
        ),
        ("error", "Why there was no answer.", "Why there was no response."),
        ("answer", "The first KiB of the answer's body.", "The first KiB of the response's body."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
    ),
    "webhook_deliveries": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("owner", "The id of the key with whose rights it is told.", "The id of the key with whose rights it is sent."),
        ("webhook_id", "The webhook.", "The webhook; empty once it is deleted, until the delivery is purged too."),
        ("cursor", "The change's place in the order of all.", "Cursor of the change in the global order."),
        ("status", "What has become of it.", "State of the delivery."),
        ("attempts", "How often it was tried to send it.", "Number of attempts so far."),
        (
            "next_attempt_at",
            "When it is tried next; empty when it is not.",
            "Time of the next attempt; empty when there is none.",
        ),
        ("delivered_at", "When the receiver took it.", "Time when the receiver accepted it."),
        ("reason", "Why it was not taken, when it was last tried.", "Why the last attempt failed."),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
    ),
    "webhook_progress": (
        (
            "position",
            "Everything up to here is queued, or is not told.",
            "Every change up to this position is queued, or is not for this webhook.",
        ),
        ("last_sent_position", "The position of what was told last.", "The position of the last delivery."),
    ),
    "webhooks": (
        ("id", "Unique and for ever.", "Unique and permanent."),
        ("owner", "The id of the key with whose rights it is told.", "The id of the key with whose rights it is sent."),
        ("name", "What people call it.", "Name of the webhook."),
        ("url", "Where it is sent to.", "URL that deliveries are posted to."),
        (
            "operation_name",
            "Which operation of the document it is, if there are several.",
            "The operation of the document, if it has several.",
        ),
        (
            "coalesce_seconds",
            "For how long a customer's changes wait, so that several of one row become one; 0 for not at all.",
            "How long a customer's changes wait, so that several of one row become one; 0 for not at all.",
        ),
        ("status", "Whether it is sent.", "Whether deliveries are sent."),
        (
            "status_reason",
            "Why it is not sent, or what could not be.",
            "Why deliveries are not sent, or which could not be.",
        ),
        (
            "version",
            "Counts the row's edits, from 1; an update may name the version that it saw.",
            "Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        ("created_at", "When the row was first stored.", "Time of creation."),
        ("updated_at", "When the row last changed.", "Time of the last edit."),
        (
            "",
            "A subscription with an address: what it tells is posted there, signed, until it is taken.",
            "A subscription with a URL: its messages are posted there, signed, until the receiver accepts them.",
        ),
    ),
}


def upgrade() -> None:
    for table, comments in COMMENTS.items():
        for column, _, comment in comments:
            _comment(table, column, comment)


def downgrade() -> None:
    for table, comments in COMMENTS.items():
        for column, comment, _ in comments:
            _comment(table, column, comment)


def _comment(table: str, column: str, comment: str | None) -> None:
    target = f"column {table}.{column}" if column else f"table {table}"
    text = "null" if comment is None else "'" + comment.replace("'", "''") + "'"
    op.execute(f"comment on {target} is {text}")
