"""What has to be done, by whom, and what became of it: jobs.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the table; nothing was scheduled before."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("lane", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("arguments", JSON, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=100)),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True)),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text()),
        sa.Column("outcome", JSON, nullable=False),
        sa.Column("provenance", JSON, nullable=False),
        sa.CheckConstraint(
            "kind IN ('import', 'features', 'score', 'report', 'drift', 'retrain', 'retention', 'backup')",
            name=op.f("ck_jobs_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'dead', 'cancelled')",
            name=op.f("ck_jobs_state_known"),
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_jobs_attempts_least")),
        sa.CheckConstraint("losses >= 0", name=op.f("ck_jobs_losses_least")),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_key", "jobs", ["key"], unique=True)
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_index("ix_jobs_due_at", "jobs", ["due_at"])
    running = {f"{name}_where": sa.text("state = 'running'") for name in ("sqlite", "postgresql")}
    op.create_index("uq_jobs_one_running", "jobs", ["lane"], unique=True, **running)


def downgrade() -> None:
    """What was done is forgotten; its results stay."""
    op.drop_table("jobs")
