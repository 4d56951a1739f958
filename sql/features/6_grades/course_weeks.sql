-- The sums of each course in every week from its first mark on, and as they stood four and eight weeks before. A
-- timeline of one dirty week is laid out for that week and the eight before it only.
with spelled as (
    select
        course_spells.timeline_no,
        course_spells.course_no,
        unnest(range(
            greatest(course_spells.week, timelines.first_week - 8),
            least(course_spells.next_week, timelines.last_week + 1)
        ))::integer as week,
        course_spells.year_to_date
    from course_spells
    join timelines using (timeline_no)
)

select
    timeline_no,
    course_no,
    week,
    year_to_date,
    lag(year_to_date, 4, 0) over by_week as four_ago,
    lag(year_to_date, 8) over by_week as eight_ago
from spelled
window by_week as (partition by timeline_no, course_no order by week)
