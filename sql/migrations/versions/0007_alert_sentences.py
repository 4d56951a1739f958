"""What is wrong is kept as a sentence's name and what it names, and said in the reader's language.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """An alert from before keeps its English words."""
    name = sa.Column("sentence", sa.String(length=40), server_default="", nullable=False)
    op.add_column("alerts", name)
    op.add_column("alerts", sa.Column("details", JSON, server_default="{}", nullable=False))


def downgrade() -> None:
    """What has no words is not known any more; a look finds what is still so."""
    op.execute("delete from alerts where words = ''")
    op.drop_column("alerts", "details")
    op.drop_column("alerts", "sentence")
