-- Each course in each row: from the final timeline, but for the dirty courses of a dirty row. Six small counts travel in
-- one number, seven bits each (a student has fewer than 30 courses), because one sum takes a third of the time of six;
-- ten points down are given a billionth of slack. A class is a course on one day; those without recent work are in one
-- of their own, with the sign turned.
with taken as (
    select
        timelines.base_no * 64 + course_weeks.week as row_key,
        course_weeks.course_no * 1024 + (weeks.as_of - getvariable('first_date'))::integer as class_key,
        course_weeks.* exclude (timeline_no, course_no, week)
    from course_weeks
    join timelines
        on timelines.timeline_no = course_weeks.timeline_no
        and in_slice(timelines.timeline_no)
    join weeks
        on weeks.school_no = timelines.school_no
        and weeks.week = course_weeks.week
    left join dirty_courses
        on dirty_courses.row_key = timelines.base_no * 64 + course_weeks.week
        and dirty_courses.course_no = course_weeks.course_no
    where (timelines.row_weeks >> course_weeks.week) & 1 = 1
      and (dirty_courses.row_key is null or timelines.dirty_row is not null)
)

select
    row_key,
    if(recent_mean is null, -class_key, class_key) as class_key,
    recent_mean,
    1::double
    + (mean < 6000)::double * 128
    + points * 16384
    + coalesce(
        2097152 + (earlier_mean - mean >= 1000 - 1e-9)::double * 268435456 + earlier_points * 34359738368,
        0
    ) as counts
from taken
