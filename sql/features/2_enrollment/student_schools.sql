-- The schools at which each student was in this year: the base of every timeline. student_order: the place of the
-- student in the order of the feature store.
with placed as (
    select student_no, row_number() over (order by student_id)::integer as student_order
    from students
)

select
    row_number() over (order by student_order, school_no)::integer as base_no,
    student_no,
    student_order,
    school_no
from (select distinct student_no, school_no from segments)
join placed using (student_no)
