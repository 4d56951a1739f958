-- Weeks with an assignment: sums of whole numbers over the week's work. Sums and their counts travel in one number,
-- sum × 4096 + count, held as a double, because whole numbers add exactly in any order, and one sum costs half of
-- two. last_work: the day of the last marked work, in days since 1970; 0 where nothing was marked.
select
    timeline_no,
    week,
    sum(mark::double * 4096 + 1) as marks,
    min(mark) as least_mark,
    sum(4096 + (coalesce(mark, 0) = 0)::integer)::integer as assignments,
    sum(mark::double * 4096 + 1) filter (kind = 'test') as test_marks,
    sum(mark::double * 4096 + 1) filter (kind = 'homework') as homework_marks,
    coalesce(max(date - date '1970-01-01') filter (mark is not null), 0)::integer as last_work
from course_work
group by timeline_no, week
