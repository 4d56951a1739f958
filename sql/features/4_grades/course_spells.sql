-- A course's standing changes only in weeks with marked work, and holds until the next: one row per such spell of
-- weeks. Sum and count travel in one double, sum × 1024 + count, exactly; and are compared by cross-multiplication,
-- so that a course at exactly 60, or exactly 10 points down, is where it belongs. recent_0 … recent_3: mean mark
-- of the last four weeks (hundredths), seen 0 … 3 weeks after the spell began.
with sums as (
    select
        timeline_no,
        course_no,
        week,
        lead(week, 1, 127) over by_week as next_week,
        sum(packed) over by_week as year_to_date,
        sum(packed) over (by_week range between unbounded preceding and 8 preceding) as eight_ago,
        packed as recent_3,
        sum(packed) over (by_week range between 1 preceding and current row) as recent_2,
        sum(packed) over (by_week range between 2 preceding and current row) as recent_1,
        sum(packed) over (by_week range between 3 preceding and current row) as recent_0
    from (
        select timeline_no, course_no, week, marks::double * 1024 + marked as packed
        from course_cells
        where marked > 0
    )
    window by_week as (partition by timeline_no, course_no order by week)
),

unpacked as (
    select
        * exclude (year_to_date, eight_ago),
        floor(year_to_date / 1024) as marks,
        year_to_date % 1024 as marked,
        floor(eight_ago / 1024) as earlier_marks,
        eight_ago % 1024 as earlier_marked
    from sums
)

select
    timeline_no,
    course_no,
    week,
    next_week,
    case
        when marks >= 9000 * marked then 4
        when marks >= 8000 * marked then 3
        when marks >= 7000 * marked then 2
        when marks >= 6000 * marked then 1
        else 0
    end::tinyint as grade_points,
    (marks < 6000 * marked)::tinyint as failing,
    (earlier_marked is not null)::tinyint as compared,
    coalesce(marks * earlier_marked + 1000 * marked * earlier_marked <= earlier_marks * marked, false)::tinyint as declining,
    floor(recent_0 / 1024) / (recent_0 % 1024) as recent_0,
    floor(recent_1 / 1024) / (recent_1 % 1024) as recent_1,
    floor(recent_2 / 1024) / (recent_2 % 1024) as recent_2,
    floor(recent_3 / 1024) / (recent_3 % 1024) as recent_3
from unpacked
