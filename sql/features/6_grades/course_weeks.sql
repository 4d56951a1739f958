-- The sums of each course in every week from its first mark on, and as they stood four and eight weeks before. A
-- timeline of one dirty week is laid out for that week and the eight before it only.
with bounded as (
    select
        course_spells.timeline_no,
        course_spells.course_no,
        course_spells.year_to_date,
        greatest(course_spells.week::integer, timelines.fold_week) as from_week,
        least(course_spells.next_week::integer, timelines.last_week + 1) as end_week,
        timelines.base_no,
        timelines.school_no,
        timelines.row_weeks,
        timelines.dirty_row is null as is_final
    from course_spells
    join timelines using (timeline_no)
),

spelled as (
    select
        bounded.* exclude (from_week, end_week),
        (bounded.from_week + week_spans.past)::utinyint as week
    from bounded
    join week_spans on week_spans.weeks = bounded.end_week - bounded.from_week
)

select
    base_no * 64 + week::integer as row_key,
    course_no,
    school_no,
    week,
    (row_weeks >> week) & 1 = 1 as is_row,
    is_final,
    year_to_date,
    lag(year_to_date, 4, 0) over by_week as four_ago,
    lag(year_to_date, 8) over by_week as eight_ago
from spelled
window by_week as (partition by timeline_no, course_no order by week)
