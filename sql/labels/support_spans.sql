-- When students were supported, as it was known before $known_until: from the first day for as many weeks as planned; what
-- was stopped ends on the day on which that was written down, and what was only ever planned or was withdrawn never began.
select
    cast(students.student_id as varchar) as student_id,
    cast(interventions.start_date as timestamp) as "start",
    cast(
        case
            when state = 'stopped' and changed_at < $known_until
                then least(cast(changed_at as date), start_date + cast(7 * length_weeks as integer))
            else start_date + cast(7 * length_weeks as integer)
        end as timestamp
    ) as "end",
    cast(recorded_at as timestamp) as known_from
from interventions
join students using (student_no)
where recorded_at < $known_until
    and not (state in ('planned', 'withdrawn') and changed_at < $known_until)
    and (state <> 'stopped' or changed_at >= $known_until or cast(changed_at as date) > start_date)
order by student_id, "start", "end"
