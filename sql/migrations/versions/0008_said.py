"""Why a letter did not go is kept as a sentence of the catalogue; a calendar that ended is a kind of alert.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
KINDS = "kind IN ('job', 'silence', {more}'stale', 'drift', 'capacity', 'pattern', 'mail')"


def change_kinds(more: str) -> None:
    """Say anew which alerts there are."""
    with op.batch_alter_table("alerts") as table:
        table.drop_constraint(op.f("ck_alerts_kind_known"), type_="check")
        table.create_check_constraint(op.f("ck_alerts_kind_known"), sa.text(KINDS.format(more=more)))


def upgrade() -> None:
    """A letter from before keeps its English words."""
    op.add_column("mails", sa.Column("said", JSON, server_default="{}", nullable=False))
    change_kinds("'calendar', ")


def downgrade() -> None:
    """A look finds under its old kind what is still so."""
    op.execute("delete from alerts where kind = 'calendar'")
    change_kinds("")
    op.drop_column("mails", "said")
