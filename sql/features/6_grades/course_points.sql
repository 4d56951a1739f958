-- Grade points of each course in each valid week. Means are compared by cross-multiplication, so that a course at
-- exactly 60, or exactly 10 points down, is where it belongs. Six small counts travel in one number, seven bits each
-- (a student has fewer than 30 courses), because one sum takes a third of the time of six.
with taken_apart as (
    select
        row_key,
        course_weeks.course_no::bigint * 1024 + (weeks.as_of - getvariable('first_date')) as class_key,
        year_to_date::bigint >> 12 as marks,
        year_to_date::bigint & 4095 as marked,
        eight_ago::bigint >> 12 as earlier_marks,
        eight_ago::bigint & 4095 as earlier_marked,
        (year_to_date - four_ago)::bigint >> 12 as recent_marks,
        (year_to_date - four_ago)::bigint & 4095 as recent_marked
    from course_weeks
    join weeks
        on weeks.school_no = course_weeks.school_no
        and weeks.week = course_weeks.week
    where is_valid
)

select
    row_key,
    class_key,
    recent_marks / nullif(recent_marked, 0) as recent_mean,
    1::double
    + (earlier_marked is not null)::integer * 128
    + coalesce(marks * earlier_marked + 1000 * marked * earlier_marked <= earlier_marks * marked, false)::integer * 16384
    + (marks < 6000 * marked)::integer * 2097152
    + case
        when marks >= 9000 * marked then 4
        when marks >= 8000 * marked then 3
        when marks >= 7000 * marked then 2
        when marks >= 6000 * marked then 1
        else 0
    end * 268435456
    + case
        when earlier_marks >= 9000 * earlier_marked then 4
        when earlier_marks >= 8000 * earlier_marked then 3
        when earlier_marks >= 7000 * earlier_marked then 2
        when earlier_marks >= 6000 * earlier_marked then 1
        else 0
    end * 34359738368 as counts
from taken_apart
