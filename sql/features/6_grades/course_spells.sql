-- The marks of a slice of timelines, line by line: a line is a course of a timeline. A course's sums change only in weeks
-- with marked work, and hold until the next, or to the end of the timeline. The windows read the rows in that order, in
-- passing.
-- Sum and count of the year so far travel in one number, too, sum × 4096 + count.
with in_order as (
    select
        line_week,
        line_weeks,
        last_week,
        school_no,
        mark::double * 4096 + 1 as marks
    from course_work
    where mark is not null
      and line_weeks <> 0
    order by line_week
),

passed as (
    select
        *,
        so_far(marks) as marks_so_far,
        lag(line_week >> 6, 1, -1) over () <> line_week >> 6 as starts,
        lead(line_week) over () as next_line_week
    from in_order
)

select
    line_week,
    line_weeks,
    school_no,
    least(next_line_week, line_week - week_of(line_week) + last_week + 1) as end_line_week,
    since_start(starts, marks_so_far, marks)::bigint as year_to_date
from passed
