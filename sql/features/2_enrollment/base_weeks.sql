-- The weeks in which each student at each school has a row, as a set of bits: bit w for week w.
select
    base_no,
    student_no,
    school_no,
    bit_or(1::bigint << week) as row_weeks,
    max(week) as last_week
from student_weeks
group by base_no, student_no, school_no
