-- Slices of about 12,500 students in the order of the store: the first and last row_key of each.
with sliced as (
    select base_no, (dense_rank() over (order by student_order) - 1) // 12500 as slice
    from base_weeks
)

select
    slice,
    min(base_no) * 64 as first_row,
    max(base_no) * 64 + 63 as last_row
from sliced
group by slice
