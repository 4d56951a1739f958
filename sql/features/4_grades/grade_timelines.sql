-- A student at a school, seen finally (view 9999-12-31) or, for a dirty row, as of that row's day.
-- valid_weeks: the weeks, as bits, whose features are taken from this timeline.
with dirty as (
    select student_weeks.*
    from student_weeks
    join grade_dirty using (row_key)
),

dirty_weeks as (
    select base_no, bit_or(1::bigint << week) as weeks from dirty group by base_no
)

select
    base_weeks.base_no as timeline_no,
    base_weeks.base_no,
    base_weeks.student_no,
    base_weeks.school_no,
    date '9999-12-31' as view,
    base_weeks.row_weeks & ~coalesce(dirty_weeks.weeks, 0) as valid_weeks,
    base_weeks.last_week
from base_weeks
left join dirty_weeks using (base_no)

union all

select
    (select max(base_no) from base_weeks) + row_number() over () as timeline_no,
    base_no,
    student_no,
    school_no,
    as_of as view,
    1::bigint << week as valid_weeks,
    week as last_week
from dirty
