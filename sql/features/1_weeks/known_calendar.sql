-- The year's calendar as known at the cutoff: one row per school and day.
-- Variables: school_year, and cutoff, the first day that may not be seen (9999-12-31 where everything may).
select
    calendar.school_no,
    calendar.date,
    calendar.day_type,
    schools.week_starts_on,
    case
        when calendar.submitted_at::timestamp < getvariable('cutoff') then calendar.submitted_at::timestamp
    end as submitted_at
from calendar
join schools using (school_no)
where calendar.school_year = getvariable('school_year')
  and calendar.date < getvariable('cutoff')
