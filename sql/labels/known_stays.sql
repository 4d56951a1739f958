-- Every stay as the record told it before $known_until, numbered in the order in which a student's stays end.
-- An exit that had not happened, or had not been recorded, is not there. An outcome with a date that a person had told
-- by then stands for the record's own exit of the stay that it falls into; of several, the one told last.
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
),
told as (
    select student_no, outcome_date, outcome_type, told_at
    from feedback
    where $feedback
        and told_at < $known_until
        and outcome_date < $known_until
        and (outcome_type = 'enrolled' or list_contains($exit_reasons, outcome_type))
),
told_of_a_stay as (
    select told.*, known.school_no, known.school_year, known.entry_date
    from told
    join known on known.student_no = told.student_no and known.entry_date <= told.outcome_date
    qualify row_number() over (
        partition by told.student_no, told.told_at, told.outcome_date, told.outcome_type
        order by known.entry_date desc, known.school_no desc
    ) = 1
),
told_last as (
    select *
    from told_of_a_stay
    qualify row_number() over (
        partition by student_no, school_no, school_year, entry_date
        order by told_at desc, outcome_date desc, outcome_type
    ) = 1
),
stays as (
    select
        known.student_no,
        known.school_no,
        known.school_year,
        known.entry_date,
        case
            when told_last.outcome_type is null then known.exit_date
            when told_last.outcome_type <> 'enrolled' then told_last.outcome_date
            when known.exit_date > told_last.outcome_date then known.exit_date
        end as exit_date,
        case
            when told_last.outcome_type is null or told_last.outcome_type = 'enrolled' then known.exit_reason
            else told_last.outcome_type
        end as exit_reason
    from known
    left join told_last using (student_no, school_no, school_year, entry_date)
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
from stays
