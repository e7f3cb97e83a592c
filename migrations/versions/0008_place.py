"""A row that is placed in its customer's unit waits for whoever moves the customer to another one."""

from collections.abc import Sequence

from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Else the unit that it reads is gone when its foreign key is checked.
PLACE = """
create or replace function hub_place() returns trigger
language plpgsql as $$
begin
    select unit_id into new.unit_id from customers where id = new.customer_id{};
    return new;
end
$$
"""


def upgrade() -> None:
    op.execute(PLACE.format(" for key share"))


def downgrade() -> None:
    op.execute(PLACE.format(""))
