-- Every stay known at the cutoff, of all years, with what was not yet known of it removed.
-- A stay without recorded_at was recorded on its first day, an exit without one on the day of the exit.
with stays as (
    select
        *,
        coalesce(recorded_at, entry_date)::timestamp as stay_recorded_at,
        coalesce(exit_recorded_at, exit_date)::timestamp as end_recorded_at
    from enrollments
)

select
    student_no,
    school_no,
    school_year,
    grade_level,
    entry_date,
    case when exit_date < getvariable('cutoff') and end_recorded_at < getvariable('cutoff') then exit_date end as exit_date,
    case when exit_date < getvariable('cutoff') and end_recorded_at < getvariable('cutoff') then end_recorded_at end
        as exit_recorded_at,
    stay_recorded_at as recorded_at,
    case when superseded_at::timestamp < getvariable('cutoff') then superseded_at::timestamp end as superseded_at
from stays
where entry_date < getvariable('cutoff')
  and stay_recorded_at < getvariable('cutoff')
