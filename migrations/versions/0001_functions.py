"""Extensions, the two functions that search folds text with, and the trigger that places rows in their customer's unit."""

from collections.abc import Sequence

from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Characters of scripts that are written without spaces: kana, Han and its extensions.
UNSPACED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

# Compatibility forms (full width, ligatures) become plain ones, case and accents go, unspaced scripts are set apart
# character by character, and one space stands at both ends, so that a whole word is found as ` word `.
# Declared immutable although `unaccent` is only stable: its rules are a file of the installation.
FOLD = rf"""
create function hub_fold(value text) returns text
language sql immutable strict parallel safe
return ' ' || btrim(regexp_replace(regexp_replace(regexp_replace(
    lower(public.unaccent('public.unaccent'::regdictionary, lower(normalize(value, nfkc)))),
    '[\u0300-\u036f]', '', 'g'),
    '([{UNSPACED}])', ' \1 ', 'g'),
    '\s+', ' ', 'g')) || ' '
"""

# `like` pattern for a text that is contained. Where it begins or ends in an unspaced script it keeps the space: folded
# text has one there anyway, and without it a single character has no trigram and the index is of no use.
PATTERN = rf"""
create function hub_pattern(word text) returns text
language sql immutable strict parallel safe
return (
    select '%' || case when folded ~ '^[{UNSPACED}]' then ' ' else '' end
        || regexp_replace(folded, '([%_\\])', '\\\1', 'g')
        || case when folded ~ '[{UNSPACED}]$' then ' ' else '' end || '%'
    from (select btrim(hub_fold(word)) as folded) as word
)
"""


# Rows of a customer that carry its unit get it from the customer, whoever writes them.
PLACE = """
create function hub_place() returns trigger
language plpgsql as $$
begin
    select unit_id into new.unit_id from customers where id = new.customer_id;
    return new;
end
$$
"""


def upgrade() -> None:
    for extension in ("pg_trgm", "unaccent", "ltree"):
        op.execute(f"create extension if not exists {extension} with schema public")
    op.execute(FOLD)
    op.execute(PATTERN)
    op.execute(PLACE)


def downgrade() -> None:
    op.execute("drop function hub_place()")
    op.execute("drop function hub_pattern(text)")
    op.execute("drop function hub_fold(text)")
