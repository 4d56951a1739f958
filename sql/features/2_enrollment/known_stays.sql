-- Every stay known at the cutoff, of all years, with what was not yet known of it removed.
-- A stay without recorded_at was recorded on its first day, an exit without one on the day of the exit.
with stays as (
    select
        *,
        coalesce(recorded_at, entry_date)::timestamp as stay_recorded_at,
        coalesce(exit_recorded_at, exit_date)::timestamp as end_recorded_at
    from enrollments
),

known as (
    select
        *,
        exit_date < getvariable('cutoff') and end_recorded_at < getvariable('cutoff') as exit_is_known
    from stays
)

select
    student_no,
    school_no,
    school_year,
    grade_level,
    entry_date,
    if(exit_is_known, exit_date, null) as exit_date,
    if(exit_is_known, end_recorded_at, null) as exit_recorded_at,
    stay_recorded_at as recorded_at,
    case when superseded_at::timestamp < getvariable('cutoff') then superseded_at::timestamp end as superseded_at
from known
where entry_date < getvariable('cutoff')
  and stay_recorded_at < getvariable('cutoff')
