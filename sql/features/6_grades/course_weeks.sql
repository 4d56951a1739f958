-- Each course in every week from its first mark on: its mean so far, a quotient of whole numbers under 4096, so that a
-- course at exactly 60 is at 60, and the grade points for it, with the mean and the points of eight weeks before; and
-- the mean of the last four weeks. Weeks are laid out in their order, so that what was four weeks ago stands four rows
-- above. What lies before the first week is of another line, and the week that stands there says so.
with spells as (
    select
        *,
        (year_to_date >> 12) / (year_to_date & 4095) as mean
    from course_spells
),

laid_out as (
    select
        unnest(range(line_week, end_line_week)) as line_week,
        line_weeks,
        school_no,
        year_to_date,
        mean,
        (mean >= 6000)::double + (mean >= 7000)::double + (mean >= 8000)::double + (mean >= 9000)::double as points
    from spells
),

passed as (
    select
        *,
        lag(line_week, 8, 0) over () = line_week - 8 as is_compared,
        lag(line_week, 4, 0) over () = line_week - 4 as began_earlier,
        year_to_date - began_earlier::bigint * lag(year_to_date, 4, 0) over () as marks_4
    from laid_out
)

select
    base_of(timeline_of(line_week)) * 64 + week_of(line_week) as row_key,
    course_of(line_week) as course_no,
    week_of(line_week) as week,
    school_no,
    line_weeks,
    mean,
    points,
    (marks_4 >> 12) / nullif(marks_4 & 4095, 0) as recent_mean,
    marks_4 > 0 as is_recent,
    is_compared,
    lag(mean, 8, 0) over () as earlier_mean,
    lag(points, 8, 0) over () as earlier_points
from passed
