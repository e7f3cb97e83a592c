"""Tables of number sequences: how many numbers of each prefix were drawn, and when, where they are used again."""

import sqlalchemy as sa

from hub.model.columns import foreign_key, metadata, timestamp

CodeCounter = sa.Table(
    "code_counters",
    metadata,
    foreign_key("rule_id", "code_rules.id", "The rule.", ondelete="CASCADE"),
    sa.Column("prefix", sa.Text, nullable=False, comment="What the codes of one sequence share."),
    sa.Column("drawn", sa.BigInteger, nullable=False, comment="Numbers drawn so far, in all rounds."),
    sa.PrimaryKeyConstraint("rule_id", "prefix"),
    comment="How many codes of each prefix were drawn.",
)
CodeDraw = sa.Table(
    "code_draws",
    metadata,
    foreign_key("rule_id", "code_rules.id", "The rule.", ondelete="CASCADE"),
    sa.Column("prefix", sa.Text, nullable=False, comment="What the codes of one sequence share."),
    sa.Column("first", sa.BigInteger, nullable=False, comment="The first number."),
    sa.Column("last", sa.BigInteger, nullable=False, comment="The last number."),
    sa.Column("drawn_at", timestamp(), nullable=False, comment="When they were drawn."),
    sa.PrimaryKeyConstraint("rule_id", "prefix", "first"),
    comment="When numbers were drawn last, of rules that use them again.",
)
