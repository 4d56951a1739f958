-- The schools at which each student was in this year: the base of every timeline.
select
    row_number() over (order by student_no, school_no)::integer as base_no,
    student_no,
    school_no
from (select distinct student_no, school_no from segments)
