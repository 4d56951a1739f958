"""What people do: contacts, flags called wrong, drafts and preferences; and where the audit log ends.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
STATES = "state IN ('planned', 'active', 'completed', 'stopped'{more})"


def student(table: str) -> sa.ForeignKeyConstraint:
    """A row about a student goes when the student goes."""
    return sa.ForeignKeyConstraint(
        ["student_id"], ["students.id"], name=f"fk_{table}_student_id", ondelete="CASCADE"
    )


def moment(name: str) -> sa.Column:
    """A timestamp that is now unless something else is said."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)


def change_states(more: str) -> None:
    """Say anew which words an intervention's state may be."""
    with op.batch_alter_table("interventions") as table:
        table.drop_constraint(op.f("ck_interventions_state_known"), type_="check")
        table.create_check_constraint(op.f("ck_interventions_state_known"), sa.text(STATES.format(more=more)))


def upgrade() -> None:
    """Make the tables; a plan gets a day to look back, a note, and a state for one that was entered by mistake."""
    op.create_table(
        "contacts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("contact_date", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("reached", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text()),
        moment("created_at"),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "kind IN ('call', 'message', 'meeting', 'visit', 'other')", name=op.f("ck_contacts_kind_known")
        ),
        student("contacts"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_contacts_staff_id"),
        sa.PrimaryKeyConstraint("id", name="pk_contacts"),
    )
    op.create_table(
        "data_fixes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("prediction_id", sa.Uuid()),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("state", sa.String(length=20), server_default="open", nullable=False),
        moment("created_at"),
        moment("updated_at"),
        sa.CheckConstraint(
            "reason IN ('known_transfer', 'medical', 'data_error', 'already_supported', 'disagree')",
            name=op.f("ck_data_fixes_reason_known"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'mended', 'declined', 'withdrawn')", name=op.f("ck_data_fixes_state_known")
        ),
        student("data_fixes"),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name="fk_data_fixes_prediction_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_data_fixes_staff_id"),
        sa.PrimaryKeyConstraint("id", name="pk_data_fixes"),
    )
    op.create_table(
        "drafts",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("form", sa.String(length=30), nullable=False),
        sa.Column("content", JSON, nullable=False),
        moment("updated_at"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_drafts_staff_id", ondelete="CASCADE"),
        student("drafts"),
        sa.PrimaryKeyConstraint("staff_id", "student_id", "form", name="pk_drafts"),
    )
    op.create_table(
        "preferences",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("content", JSON, nullable=False),
        moment("updated_at"),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name="fk_preferences_staff_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("staff_id", name="pk_preferences"),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("entry_hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    for table, columns in {
        "contacts": ("student_id", "staff_id"),
        "data_fixes": ("student_id", "prediction_id", "staff_id", "state"),
        "drafts": ("student_id",),
    }.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])
    op.add_column("interventions", sa.Column("follow_up_date", sa.Date()))
    op.add_column("interventions", sa.Column("note", sa.Text()))
    change_states(", 'withdrawn'")


def downgrade() -> None:
    """What people did goes, and so do plans that were withdrawn; the log stays."""
    op.execute("delete from interventions where state = 'withdrawn'")
    change_states("")
    op.drop_column("interventions", "note")
    op.drop_column("interventions", "follow_up_date")
    for table in ("audit_head", "preferences", "drafts", "data_fixes", "contacts"):
        op.drop_table(table)
