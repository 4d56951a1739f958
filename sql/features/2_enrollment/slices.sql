-- Slices of about 25,000 students, as the snapshot numbers them: the first and last student_no and row_key of each.
with sliced as (
    select
        base_no,
        student_no,
        (dense_rank() over (order by student_no) - 1) // 25000 as slice
    from student_schools
)

select
    slice,
    min(student_no) as first_student,
    max(student_no) as last_student,
    min(base_no) * 64 as first_row,
    max(base_no) * 64 + 63 as last_row
from sliced
group by slice
