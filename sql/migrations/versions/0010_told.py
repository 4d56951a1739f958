"""An alert is told when a letter about it went, not when it was written: which letters are about it, and when they were written.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Of an alert from before it is known when its letters were written, and not what became of them."""
    op.add_column("alerts", sa.Column("written_at", sa.DateTime(timezone=True)))
    op.add_column("alerts", sa.Column("letters", JSON, server_default="[]", nullable=False))
    op.execute("update alerts set written_at = told_at")


def downgrade() -> None:
    """Told is again what was written, and so nothing is written a second time."""
    op.execute("update alerts set told_at = written_at")
    op.drop_column("alerts", "letters")
    op.drop_column("alerts", "written_at")
