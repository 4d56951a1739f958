-- For each school and week end: the last due day before it and the next one. Due days are the calendar's
-- instructional days, which are announced before the presentation starts: a plan, not an event.
select
    weeks.school_no,
    weeks.as_of,
    max(calendar.date) filter (calendar.date < weeks.as_of) as last_due,
    min(calendar.date) filter (calendar.date >= weeks.as_of) as next_due
from weeks
join calendar
    on calendar.school_no = weeks.school_no
    and calendar.day_type = 'instructional'
    and calendar.school_year = getvariable('school_year')
group by weeks.school_no, weeks.as_of
