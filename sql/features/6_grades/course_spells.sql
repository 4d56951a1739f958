-- A course's sums change only in weeks with marked work, and hold until the next. Sum and count of the year so far
-- travel in one number, sum × 4096 + count, held as a double: whole numbers add exactly in any order.
select
    timeline_no,
    course_no,
    week,
    lead(week, 1, 127) over by_week as next_week,
    sum(mark::double * 4096 + 1) over by_week as year_to_date
from course_work
where mark is not null
  and moves_course
window by_week as (partition by timeline_no, course_no order by week)
