"""${message[:1].upper() + message[1:].rstrip(".")}."""
<%!
    def plain(commands):
        """Without the remarks that alembic sets around them."""
        kept = [line for line in commands.splitlines() if not line.lstrip().startswith("# ###")]
        return "\n".join(kept).strip()
%>
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision: str = ${repr(up_revision)}
down_revision: str | None = ${repr(down_revision)}
branch_labels: str | Sequence[str] | None = ${repr(branch_labels)}
depends_on: str | Sequence[str] | None = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass" | plain}


def downgrade() -> None:
    ${downgrades if downgrades else "pass" | plain}
