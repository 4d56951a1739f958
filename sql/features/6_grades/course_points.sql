-- Each course in each row, from the timeline that the row takes it from. Six small counts travel in one number, seven bits
-- each (a student has fewer than 30 courses), because one sum takes a third of the time of six; ten points down are given a
-- billionth of slack. A class is a course on one day; those without recent work are in one of their own, with the sign
-- turned. Class and mean make one number, too, because one is sorted faster than two. Yes and no are multiplied, which is
-- faster than a choice.
with taken as (
    select
        course_weeks.*,
        course_weeks.course_no * 1024 + (weeks.as_of - getvariable('first_date')) as class_no
    from course_weeks
    join weeks
        on weeks.school_no = course_weeks.school_no
        and weeks.week = course_weeks.week
    where (course_weeks.line_weeks >> course_weeks.week) & 1 = 1
)

select
    row_key::integer as row_key,
    class_mean(class_no * (2 * is_recent::integer - 1), coalesce(recent_mean, 0)) as class_mean,
    1::double
    + (mean < 6000)::double * 128
    + points * 16384
    + is_compared::double * (
        2097152 + (earlier_mean - mean >= 1000 - 1e-9)::double * 268435456 + earlier_points * 34359738368
    ) as counts
from taken
