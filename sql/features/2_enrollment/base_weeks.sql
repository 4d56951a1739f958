-- The weeks in which each student at each school has a row, as a set of bits: bit w for week w.
select
    base_no,
    student_no,
    school_no,
    bit_or(1::bigint << week) as row_weeks,
    min(week) as first_week,
    max(week) as last_week,
    max(grade_level) as grade_level
from student_weeks
group by base_no, student_no, school_no
