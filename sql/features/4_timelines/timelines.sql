-- A timeline is a student at a school seen as of one day. The final one (view 9999-12-31) serves all weeks but the dirty
-- ones; each dirty row has a timeline of its own, of what was known then. row_weeks: the weeks, as bits, that have a
-- row; valid_weeks: those whose features are taken from this timeline. dirty_row: the row_key of a dirty row.
-- stay_view: the view of the roll that holds on that day. timeline_no: 64 × base_no, or the row_key of a dirty row +
-- 2³⁰; so the final ones come first, and in_slice tells both by first_row and last_row. fold_week: what lies before the
-- eight weeks that a first row looks back over counts for the year to date only, and is folded into the one week before.
with dirty as (
    select student_weeks.*
    from student_weeks
    join dirty_weeks using (row_key)
),

dirty_sets as (
    select base_no, bit_or(1::bigint << week) as weeks from dirty group by base_no
)

select
    base_weeks.base_no * 64 as timeline_no,
    base_weeks.base_no,
    base_weeks.student_no,
    base_weeks.school_no,
    date '9999-12-31' as view,
    date '9999-12-31' as stay_view,
    base_weeks.row_weeks,
    base_weeks.row_weeks & ~coalesce(dirty_sets.weeks, 0) as valid_weeks,
    null::integer as dirty_row,
    base_weeks.first_week,
    base_weeks.last_week,
    greatest(base_weeks.first_week - 8, 1) as fold_week
from base_weeks
left join dirty_sets using (base_no)

union all

select
    dirty.row_key + 1073741824 as timeline_no,
    dirty.base_no,
    dirty.student_no,
    dirty.school_no,
    dirty.as_of as view,
    coalesce(stay_views.as_of, date '9999-12-31') as stay_view,
    1::bigint << dirty.week as row_weeks,
    1::bigint << dirty.week as valid_weeks,
    dirty.row_key as dirty_row,
    dirty.week as first_week,
    dirty.week as last_week,
    greatest(dirty.week - 8, 1) as fold_week
from dirty
left join stay_views
    on stay_views.student_no = dirty.student_no
    and stay_views.as_of = dirty.as_of
