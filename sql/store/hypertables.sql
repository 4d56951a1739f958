-- Weekly features as a TimescaleDB hypertable; its key already holds the date it is cut by.
select
    create_hypertable(
        'student_features',
        'feature_date',
        if_not_exists => true,
        migrate_data => true,
        create_default_indexes => false
    )
