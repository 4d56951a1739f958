-- The rows of the feature store: a student and a week of the school at which the student was, as known at its end,
-- on the week's last day. A student who changes to a school with another count of weeks keeps each number once.
with candidates as (
    select
        segments.student_no,
        segments.school_no,
        segments.grade_level,
        weeks.week,
        weeks.as_of
    from segments
    join weeks
        on weeks.school_no = segments.school_no
        and weeks.as_of - 1 >= segments.from_date
        and weeks.as_of - 1 < segments.until_date
    left join stay_views
        on stay_views.student_no = segments.student_no
        and stay_views.as_of = weeks.as_of
    where student_in_slice(segments.student_no)
      and segments.view = coalesce(stay_views.as_of, date '9999-12-31')
),

movers as (
    select student_no from student_schools group by student_no having count(*) > 1
),

first_of_number as (
    select student_no, week, min(as_of) as as_of
    from candidates
    where student_no in (select student_no from movers)
    group by student_no, week
)

select
    student_schools.base_no,
    student_schools.base_no * 64 + candidates.week as row_key,
    candidates.*
from candidates
join student_schools using (student_no, school_no)
left join first_of_number using (student_no, week)
where candidates.as_of = coalesce(first_of_number.as_of, candidates.as_of)
