-- How often each student moved, for those rows that have anything to tell: stays begun earlier this school year, and
-- exits known so far, of all years. A stay beside the present one is as known on the row's day.
with movers as (
    select student_no
    from known_stays
    group by student_no
    having count(*) filter (school_year = getvariable('school_year')) > 1 or count(exit_date) > 0
)

select
    student_weeks.row_key,
    count(*) filter (known_stays.school_year = getvariable('school_year')) - 1 as earlier_entries,
    count(*) filter (
        known_stays.exit_date < student_weeks.as_of and known_stays.exit_recorded_at < student_weeks.as_of
    ) as earlier_exits
from student_weeks
join known_stays using (student_no)
where student_weeks.student_no in (select student_no from movers)
  and known_stays.entry_date < student_weeks.as_of
  and known_stays.recorded_at < student_weeks.as_of
  and (known_stays.superseded_at is null or known_stays.superseded_at >= student_weeks.as_of)
group by student_weeks.row_key
