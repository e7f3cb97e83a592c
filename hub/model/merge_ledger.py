"""The ledger of merges: for each row that a merge touched, what it did to it, so that it can be undone."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.model.columns import metadata

MergeRow = sa.Table(
    "merge_rows",
    metadata,
    sa.Column("ordinal", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="The order of the steps."),
    sa.Column(
        "merge_id",
        sa.Uuid,
        sa.ForeignKey("merges.id", ondelete="CASCADE"),
        nullable=False,
        comment="The merge or split.",
    ),
    sa.Column("table_name", sa.Text, nullable=False, comment="The row's table."),
    sa.Column("row_id", sa.Uuid, nullable=False, comment="The row."),
    sa.Column("action", sa.Text, nullable=False, comment="MOVED, CHANGED or DROPPED."),
    sa.Column("row_version", sa.Integer, nullable=False, comment="The row's version after it."),
    sa.Column("before", JSONB, comment="The columns that changed as they were; of a dropped row, all."),
    sa.Column("after", JSONB, comment="The columns that changed as they became."),
    comment="Rows that merges and splits touched. They are deleted once nothing can be undone any more.",
)
sa.Index("ix_merge_rows_merge_id_table_name_row_id", MergeRow.c.merge_id, MergeRow.c.table_name, MergeRow.c.row_id)
