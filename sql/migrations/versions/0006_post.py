"""What is told to whom, and what is wrong: mails, alerts, where mail for staff goes, and the job that brings it.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KINDS = "kind IN ('import', 'features', 'score', 'report', 'drift', 'retrain', 'retention', 'backup'{more})"


def moment(name: str, **options) -> sa.Column:
    """A timestamp with time zone."""
    return sa.Column(name, sa.DateTime(timezone=True), **options)


def change_kinds(more: str) -> None:
    """Say anew which jobs there are."""
    with op.batch_alter_table("jobs") as table:
        table.drop_constraint(op.f("ck_jobs_kind_known"), type_="check")
        table.create_check_constraint(op.f("ck_jobs_kind_known"), sa.text(KINDS.format(more=more)))


def upgrade() -> None:
    """Nobody was written to before, and nothing was wrong that anybody was told of."""
    op.add_column("staff", sa.Column("email", sa.String(length=320)))
    op.create_table(
        "mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=10), server_default="mail", nullable=False),
        sa.Column("staff_id", sa.Uuid()),
        sa.Column("address", sa.String(length=320)),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        moment("queued_at", nullable=False),
        moment("due_at"),
        moment("claimed_until"),
        moment("sent_at"),
        sa.Column("message_id", sa.String(length=200)),
        sa.Column("error", sa.Text()),
        sa.CheckConstraint("channel IN ('mail', 'hook')", name=op.f("ck_mails_channel_known")),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'failed', 'dead', 'uncertain', 'cancelled')",
            name=op.f("ck_mails_state_known"),
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_mails_attempts_least")),
        sa.CheckConstraint(
            "channel = 'hook' OR staff_id IS NOT NULL OR address IS NOT NULL",
            name=op.f("ck_mails_has_recipient"),
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_mails_staff_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        moment("opened_at", nullable=False),
        moment("told_at"),
        moment("closed_at"),
        sa.CheckConstraint(
            "kind IN ('job', 'silence', 'stale', 'drift', 'capacity', 'pattern', 'mail')",
            name=op.f("ck_alerts_kind_known"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
    )
    op.create_index("ix_mails_key", "mails", ["key"], unique=True)
    for table, columns in {
        "mails": ("staff_id", "state", "due_at"),
        "alerts": ("key", "closed_at"),
    }.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])
    still = {f"{name}_where": sa.text("closed_at IS NULL") for name in ("sqlite", "postgresql")}
    op.create_index("uq_alerts_one_open", "alerts", ["key"], unique=True, **still)
    change_kinds(", 'mail'")


def downgrade() -> None:
    """What was told is forgotten."""
    op.execute("delete from jobs where kind = 'mail'")
    change_kinds("")
    op.drop_table("alerts")
    op.drop_table("mails")
    op.drop_column("staff", "email")
