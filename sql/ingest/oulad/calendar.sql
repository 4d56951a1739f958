-- Canonical calendar: the term runs every day, and work is expected on the days on which something is due.
select
    presentations.school_id,
    cast(day as date) as date,
    presentations.school_year,
    case when due_days.due_date is null then 'open' else 'instructional' end as day_type
from presentations, unnest(generate_series(starts, ends, interval 1 day)) as days (day)
left join (select distinct school_id, due_date from due) as due_days
    on due_days.school_id = presentations.school_id and due_days.due_date = cast(day as date)
order by all
