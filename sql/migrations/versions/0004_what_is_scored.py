"""Every page begins by asking which dates have been scored: answered from an index, not from every score ever given.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """In the order in which the question is asked."""
    op.create_index(
        "ix_predictions_scored", "predictions", ["as_of", "model_version", "shadow", "prediction_date"]
    )


def downgrade() -> None:
    """The answer takes longer, and is the same."""
    op.drop_index("ix_predictions_scored", "predictions")
