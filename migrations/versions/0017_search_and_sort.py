"""Search by what a customer is known by, Arabic spelling, starts of time intervals, and indexes of further sort keys.

Locks until the transaction ends: customers, contacts and products ACCESS EXCLUSIVE, because `search_text` is rewritten; the
tables of new indexes SHARE, which lets reads go on and writes wait. On two cores, 100,000 customers take about 5 seconds and
1,000,000 orders about 20. `contains` folds its text by the same function at once."""

from collections.abc import Sequence

from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Characters of scripts that are written without spaces: kana, Han and its extensions.
UNSPACED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
COMBINING = r"\u0300-\u036f"
# Characters that people leave out: accents; points of Hebrew and Arabic; tatweel; format characters and variation selectors.
# Vowel signs of Indic scripts are no such marks: without them another word is left.
LEFT_OUT = (
    COMBINING
    + r"\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    + r"\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u08ca-\u08e1\u08e3-\u08ff"
    + r"\u00ad\u061c\u06dd\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    + r"\U000e0001-\U000e007f\U000e0100-\U000e01ef"
)
# Arabic letters that are typed for each other (forms of alef, waw, yeh, kaf, heh), and the two rows of Arabic digits.
SPELLINGS = {
    "\u0627": "\u0622\u0623\u0625\u0671\u0672\u0673",
    "\u0648": "\u0624",
    "\u064a": "\u0626\u0649\u06cc\u06cd\u06ce",
    "\u0643": "\u06a9\u06aa",
    "\u0647": "\u0629",
    **{str(digit): chr(0x660 + digit) + chr(0x6F0 + digit) for digit in range(10)},
}
PUNCTUATION = " !\"#$%&''()*+,-./:;<=>?@[\\\\]^_`{|}~\\t\\n\\x0B\\f\\r"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"

# Compatibility forms (full width, ligatures) become plain ones, case and accents go, unspaced scripts are set apart
# character by character, and one space stands at both ends, so that a whole word is found as ` word `.
# Declared immutable although `unaccent` is only stable: its rules are a file of the installation.
FOLD_BEFORE = rf"""
create or replace function hub_fold(value text) returns text
language sql immutable strict parallel safe
return ' ' || btrim(regexp_replace(regexp_replace(regexp_replace(
    lower(public.unaccent('public.unaccent'::regdictionary, lower(normalize(value, nfkc)))),
    '[{COMBINING}]', '', 'g'),
    '([{UNSPACED}])', ' \1 ', 'g'),
    '\s+', ' ', 'g')) || ' '
"""
SOURCES = "".join(SPELLINGS.values())
TARGETS = "".join(target * len(letters) for target, letters in SPELLINGS.items())
FOLD = rf"""
create or replace function hub_fold(value text) returns text
language sql immutable strict parallel safe
return ' ' || btrim(regexp_replace(regexp_replace(translate(regexp_replace(
    lower(public.unaccent('public.unaccent'::regdictionary, lower(normalize(value, nfkc)))),
    '[{LEFT_OUT}]', '', 'g'),
    '{SOURCES}', '{TARGETS}'),
    '([{UNSPACED}])', ' \1 ', 'g'),
    '\s+', ' ', 'g')) || ' '
"""

# What numbers, addresses and keys are compared by: folded, without spaces and punctuation, between two spaces. Text in
# ASCII needs no folding but lower case, which spares a row of `orders` most of the work. It is not declared strict, so that
# Postgres inlines it.
CODE = rf"""
create function hub_code(value text) returns text
language sql immutable parallel safe
return ' ' || case when octet_length(value) = char_length(value)
    then translate(lower(value), E'{PUNCTUATION}', '')
    else translate(public.hub_fold(value), E'{PUNCTUATION}{DASHES}', '') end || ' '
"""

# `like` pattern for a code that contains the text. Less than three characters are the whole code: most codes contain them.
# Of a telephone number the zeros that stand for the trunk or the country's prefix are left out. Null for no characters.
CODE_PATTERN = r"""
create function hub_code_pattern(word text) returns text
language sql immutable strict parallel safe
return (
    select case when char_length(code) >= 3 then '%' || code || '%' when code <> '' then '% ' || code || ' %' end
    from (
        select case when plain ~ '^[\s0-9()+./-]{7,}$' then ltrim(btrim(public.hub_code(replace(plain, '(0)', ''))), '0')
            else btrim(public.hub_code(plain)) end as code
        from (select normalize(word, nfkc) as plain) as word
    ) as word
)
"""

# The word as other spellings of it are looked for; null for numbers and addresses, of which a similar one is another's.
SPELLING = """
create function hub_spelling(word text) returns text
language sql immutable strict parallel safe
return (select case when folded !~ '[0-9@]' then folded end from (select btrim(public.hub_fold(word)) as folded) as word)
"""

# The first moment whose local time is `start`, in zones whose clocks repeat it too. Postgres reads a time that is repeated
# as the later one. Where the clock skips it, both readings are the moment of the change.
INTERVAL_START = """
create function hub_interval_start(start timestamp, zone text) returns timestamptz
language plpgsql immutable strict parallel safe as $$
declare
    later timestamptz := start at time zone zone;
    eve timestamptz := later - interval '1 day';
    earlier timestamptz := (start - ((eve at time zone zone) - (eve at time zone 'UTC'))) at time zone 'UTC';
begin
    return case when earlier at time zone zone = start then earlier else later end;
end
$$
"""

# The start of the local hour: the clock's change within the hour starts another one, which is shorter.
HOUR_START = """
create function hub_hour_start(moment timestamptz, zone text) returns timestamptz
language plpgsql immutable strict parallel safe as $$
declare
    start timestamptz := date_trunc('hour', moment, zone);
    changed timestamptz := date_trunc('second', moment);
    middle timestamptz;
    shift interval := (changed at time zone zone) - (changed at time zone 'UTC');
begin
    if (start at time zone zone) - (start at time zone 'UTC') = shift then
        return start;
    end if;
    while changed - start > interval '1 second' loop
        middle := date_trunc('second', start + (changed - start) / 2);
        if (middle at time zone zone) - (middle at time zone 'UTC') = shift then
            changed := middle;
        else
            start := middle;
        end if;
    end loop;
    return changed;
end
$$
"""

# By table: the expression of `search_text` before and after. Columns are folded apart, so that a whole one can be told.
SEARCH_TEXTS = {
    "contacts": (
        "hub_fold(coalesce(name, '') || ' ' || coalesce(title, ''))",
        "hub_fold(coalesce(name, '')) || hub_fold(coalesce(title, ''))",
    ),
    "customers": ("hub_fold(coalesce(name, ''))", "hub_fold(coalesce(name, ''))"),
    "products": (
        "hub_fold(coalesce(name, '') || ' ' || coalesce(category, ''))",
        "hub_fold(coalesce(name, '')) || hub_fold(coalesce(category, ''))",
    ),
}
CODE_INDEXES = {
    "identifiers": "(hub_code(value) || hub_code(normalized))",
    "contact_points": "hub_code(value)",
    "orders": "hub_code(number)",
}
SORTED_BY_UPDATE = (
    "addresses",
    "contact_points",
    "contacts",
    "customers",
    "identifiers",
    "identity_reviews",
    "orders",
    "org_units",
    "products",
    "staff",
    "webhooks",
)
SORT_KEYS = (
    *((table, "updated_at", "updated_at") for table in SORTED_BY_UPDATE),
    ("orders", "required_at", "coalesce(required_at, 'infinity'::timestamptz)"),
    ("order_items", "net", "net"),
    ("scores", "value", "value"),
)


def _rewrite_search_texts(version: int) -> None:
    for table, expressions in SEARCH_TEXTS.items():
        op.execute(f"alter table {table} alter column search_text set expression as ({expressions[version]})")


def upgrade() -> None:
    for function in (FOLD, CODE, CODE_PATTERN, SPELLING, INTERVAL_START, HOUR_START):
        op.execute(function)
    _rewrite_search_texts(1)
    for table, expression in CODE_INDEXES.items():
        op.execute(f"create index ix_{table}_codes on {table} using gin ({expression} gin_trgm_ops)")
    for table, name, expression in SORT_KEYS:
        op.execute(f"create index ix_{table}_{name}_id on {table} ({expression}, id)")


def downgrade() -> None:
    for table, name, _ in SORT_KEYS:
        op.execute(f"drop index ix_{table}_{name}_id")
    for table in CODE_INDEXES:
        op.execute(f"drop index ix_{table}_codes")
    op.execute(FOLD_BEFORE)
    _rewrite_search_texts(0)
    for signature in (
        "hub_hour_start(timestamptz, text)",
        "hub_interval_start(timestamp, text)",
        "hub_spelling(text)",
        "hub_code_pattern(text)",
        "hub_code(text)",
    ):
        op.execute(f"drop function {signature}")
