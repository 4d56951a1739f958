"""Alembic's entry: runs the store's migrations on the connection it is given, or on the settings' store."""

from alembic import context

from edupulse.store.engine import connect
from edupulse.store.tables import metadata

# What the metadata does not describe: Alembic's own table and the view's leavings.
FOREIGN = ("alembic_version",)


def belongs_to_metadata(name: str | None, kind: str, _parents: dict) -> bool:
    """Leave out of the comparison what is not one of the store's tables."""
    return not (kind == "table" and name in FOREIGN)


def run(connection) -> None:
    """Migrate within the caller's transaction; SQLite changes a table by copying it."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        include_name=belongs_to_metadata,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:  # `alembic -c sql/migrations/alembic.ini ...`, for whoever writes the next migration
    with connect().begin() as opened:
        run(opened)
