-- Weeks with an assignment: sums of whole numbers over the week's work. Sums and their counts travel in one number,
-- sum × 4096 + count, held as a double, because whole numbers add exactly in any order, and one sum costs half of
-- two. last_work: the day of the last marked work, in days since 1970; 0 where nothing was marked.
-- Noughts are added rather than filtered out: half the time.
with work as (
    select
        timeline_of(line_week) * 64 + week_of(line_week) as timeline_week,
        mark,
        is_test,
        is_homework,
        coalesce(mark::double * 4096 + 1, 0) as marks,
        if(mark is null, 0, date - date '1970-01-01') as marked_day
    from course_work
)

select
    timeline_week,
    sum(marks) as marks,
    min(mark) as least_mark,
    sum(4096 + (coalesce(mark, 0) = 0)::integer)::integer as assignments,
    sum(if(is_test, marks, 0)) as test_marks,
    sum(if(is_homework, marks, 0)) as homework_marks,
    max(marked_day)::integer as last_work
from work
group by timeline_week
