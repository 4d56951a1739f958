"""A prediction may be a shadow: of a challenger that scores beside the champion and is shown to nobody.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every prediction so far was shown."""
    op.add_column("predictions", sa.Column("shadow", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Shadows go, for nobody could tell them from the others."""
    op.execute("delete from predictions where shadow")
    op.drop_column("predictions", "shadow")
