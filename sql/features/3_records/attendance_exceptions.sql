-- The year's absences and late arrivals known at the cutoff. Days of presence are not read: what counts as a day
-- comes from the calendar and the roll, so an export of exceptions gives the same as one that lists every day.
select
    student_no,
    date,
    period,
    status,
    coalesce(recorded_at, date)::timestamp as recorded_at,
    case when superseded_at::timestamp < getvariable('cutoff') then superseded_at::timestamp end as superseded_at
from attendance
where status <> 'present'
  and date >= getvariable('first_date')
  and date < getvariable('end_date')
  and coalesce(recorded_at, date)::timestamp < getvariable('cutoff')
