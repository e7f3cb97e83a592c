"""The table of redirects as SQL names it: which customer the id of a former one leads to. hub/domain/identity writes it."""

import sqlalchemy as sa

REDIRECTS = sa.table("customer_redirects", sa.column("merged_id", sa.Uuid), sa.column("customer_id", sa.Uuid))
