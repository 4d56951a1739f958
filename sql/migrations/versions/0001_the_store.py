"""The store as first released.

Revision ID: 0001
Revises: nothing

Written out in full and never changed again: a migration that imported today's tables would build another store
each time they change.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make every table, check and index."""
    op.create_table(
        "audit_log",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=50), nullable=False),
        sa.Column("entity", sa.String(length=50)),
        sa.Column("entity_id", sa.String(length=100)),
        sa.Column("details", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("entry_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_entry_hash", "audit_log", ["entry_hash"], unique=True)
    op.create_index("ix_audit_log_occurred_at", "audit_log", ["occurred_at"])

    op.create_table(
        "historical_data_imports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=50), nullable=False),
        sa.Column("file_name", sa.String(length=500)),
        sa.Column("file_hash", sa.String(length=64)),
        sa.Column("rows_read", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_accepted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_quarantined", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_duplicate", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("details", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="running", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text()),
        sa.CheckConstraint(
            "state IN ('running', 'finished', 'failed')", name=op.f("ck_historical_data_imports_state_known")
        ),
        sa.CheckConstraint(
            "rows_read = rows_accepted + rows_quarantined",
            name=op.f("ck_historical_data_imports_rows_add_up"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_historical_data_imports"),
    )
    op.create_index("ix_historical_data_imports_file_hash", "historical_data_imports", ["file_hash"])

    op.create_table(
        "model_metadata",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model_version", sa.String(length=50), nullable=False),
        sa.Column("model_type", sa.String(length=50)),
        sa.Column("training_date", sa.DateTime(timezone=True), server_default=sa.func.now()),
        sa.Column("performance_metrics", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("hyperparameters", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("mlflow_run", sa.String(length=64)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_model_metadata"),
    )
    op.create_index("ix_model_metadata_is_active", "model_metadata", ["is_active"])
    op.create_index("ix_model_metadata_model_version", "model_metadata", ["model_version"], unique=True)
    op.create_index("ix_model_metadata_training_date", "model_metadata", ["training_date"])
    op.create_index(
        "uq_model_metadata_one_active",
        "model_metadata",
        ["is_active"],
        unique=True,
        sqlite_where=sa.text("is_active"),
        postgresql_where=sa.text("is_active"),
    )

    op.create_table(
        "schools",
        sa.Column("school_id", sa.String(length=50), nullable=False),
        sa.Column("name", sa.String(length=200)),
        sa.Column("periods_per_day", sa.Integer()),
        sa.Column("week_starts_on", sa.Integer(), server_default="1", nullable=False),
        sa.Column("submitted_through", sa.Date()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("periods_per_day >= 1", name=op.f("ck_schools_periods_per_day_least")),
        sa.CheckConstraint("week_starts_on BETWEEN 1 AND 7", name=op.f("ck_schools_week_starts_on_range")),
        sa.PrimaryKeyConstraint("school_id", name="pk_schools"),
    )
    op.create_table(
        "students",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("district_id", sa.String(length=50), nullable=False),
        sa.Column("first_name", sa.String(length=100)),
        sa.Column("last_name", sa.String(length=100)),
        sa.Column("grade_level", sa.Integer()),
        sa.Column("date_of_birth", sa.Date()),
        sa.Column("gender", sa.String(length=10)),
        sa.Column("ethnicity", sa.String(length=100)),
        sa.Column("socioeconomic_status", sa.String(length=50)),
        sa.Column("gpa", sa.REAL()),
        sa.Column("attendance_rate", sa.REAL()),
        sa.Column("parent_contact", sa.String(length=200)),
        sa.Column("enrollment_date", sa.Date(), server_default=sa.func.current_date()),
        sa.Column("student_metadata", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("attendance_rate BETWEEN 0 AND 1", name=op.f("ck_students_attendance_rate_range")),
        sa.CheckConstraint("gpa BETWEEN 0 AND 4", name=op.f("ck_students_gpa_range")),
        sa.CheckConstraint("grade_level BETWEEN 0 AND 12", name=op.f("ck_students_grade_level_range")),
        sa.PrimaryKeyConstraint("id", name="pk_students"),
    )
    op.create_index("ix_students_created_at", "students", ["created_at"])
    op.create_index("ix_students_district_id", "students", ["district_id"], unique=True)
    op.create_index("ix_students_enrollment_date", "students", ["enrollment_date"])
    op.create_index("ix_students_grade_level", "students", ["grade_level"])

    op.create_table(
        "attendance_records",
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("period", sa.Integer()),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("superseded_at", sa.DateTime()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "status IN ('present', 'absent', 'tardy', 'excused')",
            name=op.f("ck_attendance_records_status_known"),
        ),
        sa.CheckConstraint("period >= 0", name=op.f("ck_attendance_records_period_least")),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name="fk_attendance_records_student_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_attendance_records_date_status", "attendance_records", ["date", "status"])
    op.create_index("ix_attendance_records_status", "attendance_records", ["status"])
    op.create_index("ix_attendance_records_student_id_date", "attendance_records", ["student_id", "date"])

    op.create_index(
        "uq_attendance_records_current",
        "attendance_records",
        ["student_id", "date", sa.text("coalesce(period, -1)")],
        unique=True,
        sqlite_where=sa.text("superseded_at IS NULL"),
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "discipline_incidents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("incident_date", sa.Date(), nullable=False),
        sa.Column("severity_level", sa.Integer()),
        sa.Column("incident_type", sa.String(length=100)),
        sa.Column("description", sa.Text()),
        sa.Column("resolution", sa.String(length=200)),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("superseded_at", sa.DateTime()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "severity_level BETWEEN 1 AND 5", name=op.f("ck_discipline_incidents_severity_level_range")
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name="fk_discipline_incidents_student_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_discipline_incidents"),
    )
    op.create_index("ix_discipline_incidents_incident_type", "discipline_incidents", ["incident_type"])
    op.create_index("ix_discipline_incidents_severity_level", "discipline_incidents", ["severity_level"])
    op.create_index(
        "ix_discipline_incidents_student_id_incident_date",
        "discipline_incidents",
        ["student_id", "incident_date"],
    )

    op.create_table(
        "enrollments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.String(length=50), nullable=False),
        sa.Column("school_year", sa.Integer(), nullable=False),
        sa.Column("grade_level", sa.Integer()),
        sa.Column("entry_date", sa.Date(), nullable=False),
        sa.Column("exit_date", sa.Date()),
        sa.Column("exit_reason", sa.String(length=30)),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("exit_recorded_at", sa.DateTime()),
        sa.Column("superseded_at", sa.DateTime()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "exit_reason IN ('dropout', 'transfer_verified', 'transfer_unverified', 'graduated', 'other_completer', 'deceased', 'unknown')",
            name=op.f("ck_enrollments_exit_reason_known"),
        ),
        sa.CheckConstraint("exit_date >= entry_date", name=op.f("ck_enrollments_exit_after_entry")),
        sa.CheckConstraint("grade_level BETWEEN 0 AND 12", name=op.f("ck_enrollments_grade_level_range")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_enrollments_school_id"),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name="fk_enrollments_student_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_enrollments"),
    )
    op.create_index("ix_enrollments_exit_date", "enrollments", ["exit_date"])
    op.create_index("ix_enrollments_school_id_school_year", "enrollments", ["school_id", "school_year"])
    op.create_index("ix_enrollments_student_id", "enrollments", ["student_id"])

    op.create_table(
        "grades",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.String(length=50), nullable=False),
        sa.Column("course_name", sa.String(length=200)),
        sa.Column("assignment", sa.String(length=100)),
        sa.Column("grade_value", sa.REAL()),
        sa.Column("grade_letter", sa.String(length=2)),
        sa.Column("submission_date", sa.Date(), nullable=False),
        sa.Column("due_date", sa.Date()),
        sa.Column("weight", sa.REAL()),
        sa.Column("assignment_type", sa.String(length=50)),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("superseded_at", sa.DateTime()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("grade_value BETWEEN 0 AND 100", name=op.f("ck_grades_grade_value_range")),
        sa.CheckConstraint("weight >= 0", name=op.f("ck_grades_weight_least")),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name="fk_grades_student_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_grades"),
    )
    op.create_index("ix_grades_assignment_type", "grades", ["assignment_type"])
    op.create_index("ix_grades_course_id", "grades", ["course_id"])
    op.create_index("ix_grades_student_id_course_id", "grades", ["student_id", "course_id"])
    op.create_index("ix_grades_submission_date", "grades", ["submission_date"])

    op.create_table(
        "import_rejects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("file", sa.String(length=200), nullable=False),
        sa.Column("row_number", sa.BigInteger()),
        sa.Column("column_name", sa.String(length=100)),
        sa.Column("reason", sa.String(length=50), nullable=False),
        sa.Column("value", sa.Text()),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["historical_data_imports.id"],
            name="fk_import_rejects_import_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_import_rejects"),
    )
    op.create_index("ix_import_rejects_import_id", "import_rejects", ["import_id"])

    op.create_table(
        "predictions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column(
            "prediction_date", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("horizon_days", sa.Integer(), nullable=False),
        sa.Column("risk_score", sa.REAL(), nullable=False),
        sa.Column("risk_category", sa.String(length=10), nullable=False),
        sa.Column("confidence", sa.REAL()),
        sa.Column("risk_factors", JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("trajectory", JSON),
        sa.Column("convergence_delta", sa.REAL()),
        sa.Column("model_version", sa.String(length=50), nullable=False),
        sa.Column("feature_version", sa.String(length=64)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "risk_category IN ('low', 'medium', 'high', 'critical')",
            name=op.f("ck_predictions_risk_category_known"),
        ),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_predictions_confidence_range")),
        sa.CheckConstraint("horizon_days >= 1", name=op.f("ck_predictions_horizon_days_least")),
        sa.CheckConstraint("risk_score BETWEEN 0 AND 1", name=op.f("ck_predictions_risk_score_range")),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name="fk_predictions_student_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_predictions"),
    )
    op.create_index("ix_predictions_model_version", "predictions", ["model_version"])
    op.create_index("ix_predictions_prediction_date", "predictions", ["prediction_date"])
    op.create_index("ix_predictions_risk_category", "predictions", ["risk_category"])
    op.create_index("ix_predictions_student_id", "predictions", ["student_id"])
    op.create_index(
        "uq_predictions_once", "predictions", ["student_id", "as_of", "model_version"], unique=True
    )

    op.create_table(
        "school_calendar",
        sa.Column("school_id", sa.String(length=50), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("school_year", sa.Integer(), nullable=False),
        sa.Column("day_type", sa.String(length=20), nullable=False),
        sa.Column("submitted_at", sa.DateTime()),
        sa.CheckConstraint(
            "day_type IN ('instructional', 'open', 'closed')", name=op.f("ck_school_calendar_day_type_known")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["schools.school_id"], name="fk_school_calendar_school_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("school_id", "date", name="pk_school_calendar"),
    )
    op.create_index("ix_school_calendar_school_year_date", "school_calendar", ["school_year", "date"])

    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(length=100), nullable=False),
        sa.Column("display_name", sa.String(length=200)),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("school_id", sa.String(length=50)),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "role IN ('counselor', 'teacher', 'administrator', 'researcher', 'operator')",
            name=op.f("ck_staff_role_known"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["schools.school_id"], name="fk_staff_school_id"),
        sa.PrimaryKeyConstraint("id", name="pk_staff"),
    )
    op.create_index("ix_staff_school_id", "staff", ["school_id"])
    op.create_index("ix_staff_username", "staff", ["username"], unique=True)

    op.create_table(
        "student_features",
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("feature_date", sa.Date(), nullable=False),
        sa.Column("attendance_rate", sa.REAL()),
        sa.Column("gpa_current", sa.REAL()),
        sa.Column("discipline_incidents", sa.Integer(), server_default="0", nullable=False),
        sa.Column("feature_vector", JSON),
        sa.Column("feature_version", sa.String(length=64)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "attendance_rate BETWEEN 0 AND 1", name=op.f("ck_student_features_attendance_rate_range")
        ),
        sa.CheckConstraint(
            "discipline_incidents >= 0", name=op.f("ck_student_features_discipline_incidents_least")
        ),
        sa.CheckConstraint("gpa_current BETWEEN 0 AND 5", name=op.f("ck_student_features_gpa_current_range")),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name="fk_student_features_student_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("student_id", "feature_date", name="pk_student_features"),
    )
    op.create_index("ix_student_features_feature_date", "student_features", ["feature_date"])
    op.create_index(
        "ix_student_features_student_id_feature_date", "student_features", ["student_id", "feature_date"]
    )

    op.create_table(
        "caseloads",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("start_date", sa.Date(), server_default=sa.func.current_date(), nullable=False),
        sa.Column("end_date", sa.Date()),
        sa.CheckConstraint("end_date >= start_date", name=op.f("ck_caseloads_end_after_start")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_caseloads_staff_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name="fk_caseloads_student_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("staff_id", "student_id", "start_date", name="pk_caseloads"),
    )
    op.create_index("ix_caseloads_student_id", "caseloads", ["student_id"])

    op.create_table(
        "interventions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("champion_id", sa.Uuid(), nullable=False),
        sa.Column("intervention_type", sa.String(length=100), nullable=False),
        sa.Column("positive_goal", sa.Text(), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("length_weeks", sa.Integer(), server_default="6", nullable=False),
        sa.Column("state", sa.String(length=20), server_default="planned", nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "state IN ('planned', 'active', 'completed', 'stopped')",
            name=op.f("ck_interventions_state_known"),
        ),
        sa.CheckConstraint("length_weeks >= 1", name=op.f("ck_interventions_length_weeks_least")),
        sa.ForeignKeyConstraint(["champion_id"], ["staff.id"], name="fk_interventions_champion_id"),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name="fk_interventions_student_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_interventions"),
    )
    op.create_index("ix_interventions_champion_id", "interventions", ["champion_id"])
    op.create_index("ix_interventions_student_id", "interventions", ["student_id"])

    op.create_table(
        "training_feedback",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("prediction_id", sa.Uuid(), nullable=False),
        sa.Column("outcome_date", sa.Date()),
        sa.Column("outcome_type", sa.String(length=50)),
        sa.Column("feedback_type", sa.String(length=20), nullable=False),
        sa.Column("educator_notes", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "feedback_type IN ('true_positive', 'false_positive', 'true_negative', 'false_negative')",
            name=op.f("ck_training_feedback_feedback_type_known"),
        ),
        sa.ForeignKeyConstraint(
            ["prediction_id"],
            ["predictions.id"],
            name="fk_training_feedback_prediction_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_training_feedback"),
    )
    op.create_index("ix_training_feedback_feedback_type", "training_feedback", ["feedback_type"])
    op.create_index("ix_training_feedback_outcome_date", "training_feedback", ["outcome_date"])
    op.create_index("ix_training_feedback_prediction_id", "training_feedback", ["prediction_id"])


def downgrade() -> None:
    """Remove every table, those that refer to others first."""
    for table in (
        "training_feedback",
        "interventions",
        "caseloads",
        "student_features",
        "staff",
        "school_calendar",
        "predictions",
        "import_rejects",
        "grades",
        "enrollments",
        "discipline_incidents",
        "attendance_records",
        "students",
        "schools",
        "model_metadata",
        "historical_data_imports",
        "audit_log",
    ):
        op.drop_table(table)
