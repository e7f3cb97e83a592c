"""Reports that were issued may lose what names a customer who is erased, and nothing else.

Replaces one function; takes no lock that waits."""

from collections.abc import Sequence

from alembic import op

revision: str = "0040"
down_revision: str | None = "0039"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

REFUSE = """
    raise exception 'an issued report never changes' using errcode = 'restrict_violation';
"""
ISSUED = """
create or replace function hub_issued_report() returns trigger
language plpgsql as $$
declare
    erasable constant text[] := '{{facts,sections,note,version,updated_at}}';
begin{body}end
$$
"""
LET_ERASE = """
    if tg_op = 'UPDATE' and current_setting('hub.erasing', true) = 'on' then
        if to_jsonb(new) - erasable = to_jsonb(old) - erasable then
            return new;
        end if;
    end if;
"""


def upgrade() -> None:
    op.execute(ISSUED.format(body=LET_ERASE + REFUSE))


def downgrade() -> None:
    op.execute(ISSUED.format(body=REFUSE))
