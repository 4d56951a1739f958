"""A letter says of which run it tells, so that one id leads from the import to the mail; an export that is missing is a kind of alert.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KINDS = "kind IN ('job', 'silence', {more}'calendar', 'stale', 'drift', 'capacity', 'pattern', 'mail')"


def change_kinds(more: str) -> None:
    """Say anew which alerts there are."""
    with op.batch_alter_table("alerts") as table:
        table.drop_constraint(op.f("ck_alerts_kind_known"), type_="check")
        table.create_check_constraint(op.f("ck_alerts_kind_known"), sa.text(KINDS.format(more=more)))


def upgrade() -> None:
    """A letter from before tells of none."""
    op.add_column("mails", sa.Column("run", sa.String(length=40)))
    change_kinds("'export', ")


def downgrade() -> None:
    """The letters stay."""
    op.execute("delete from alerts where kind = 'export'")
    change_kinds("")
    op.drop_column("mails", "run")
