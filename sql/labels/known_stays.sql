-- Every stay as the record told it before $known_until, numbered in the order in which a student's stays end.
-- An exit that had not happened, or had not been recorded, is not there.
with known as (
    select
        student_no,
        school_no,
        school_year,
        entry_date,
        case
            when exit_date < $known_until and coalesce(exit_recorded_at, exit_date) < $known_until then exit_date
        end as exit_date,
        exit_reason
    from enrollments
    where coalesce(recorded_at, entry_date) < $known_until
        and entry_date < $known_until
        and (superseded_at is null or superseded_at >= $known_until)
)
select
    student_no,
    school_no,
    school_year,
    entry_date,
    exit_date,
    case when exit_date is not null then coalesce(exit_reason, 'unknown') end as exit_reason,
    row_number() over (
        partition by student_no
        order by school_year, coalesce(exit_date, date '9999-12-31'), entry_date, school_no
    ) as stay
from known
