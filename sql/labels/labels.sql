-- One label per student and week. `days` counts from as_of to the first day not attended; zero or less means that the
-- student had gone already and nobody had recorded it. An interval is counted as survived only when it is over.
with dated as (
    select
        student_weeks.*,
        outcomes.ending,
        outcomes.last_attended,
        case outcomes.ending
            when 'left' then outcomes.last_attended + 1 - student_weeks.as_of
            when 'completed' then $never_days
            else greatest(0, outcomes.enrolled_until - student_weeks.as_of)
        end as days
    from student_weeks
    asof join outcomes
        on outcomes.student_no = student_weeks.student_no
        and outcomes.school_year = student_weeks.school_year
        and outcomes.entry_date < student_weeks.as_of
)
select
    cast(students.student_id as varchar) as student_id,
    cast(dated.school_year as integer) as school_year,
    dated.week,
    dated.as_of,
    dated.ending = 'left' and dated.days <= list_max($cuts) as event,
    cast(dated.days as integer) as days,
    cast(
        case dated.ending
            when 'left' then len(list_filter($cuts, lambda cut: dated.days > cut))
            else len(list_filter($cuts, lambda cut: dated.days >= cut))
        end as tinyint
    ) as "interval",
    dated.ending = 'left' and dated.days <= 0 as late_catch,
    dated.last_attended
from dated
join students using (student_no)
order by student_id, school_year, week
