-- Courses of each row, counted: the packed counts added up and taken apart, see course_points.
with packed as (
    select
        row_key,
        sum(counts)::bigint as counts,
        sum(standing) as standing
    from course_standing
    group by row_key
),

counted as (
    select
        row_key,
        counts & 127 as courses,
        (counts >> 7) & 127 as failing,
        (counts >> 14) & 127 as grade_points,
        nullif((counts >> 21) & 127, 0) as compared,
        (counts >> 28) & 127 as declining,
        (counts >> 35) & 127 as earlier_points,
        standing / nullif(counts >> 42, 0) / 1e9 as standing
    from packed
)

select
    row_key,
    (grade_points / courses)::float as gpa_current,
    (grade_points / courses - earlier_points / compared)::float as gpa_change_8w,
    failing::utinyint as courses_failing,
    (failing / courses)::float as courses_failing_share,
    if(compared is null, null, declining)::utinyint as courses_declining,
    standing::float as course_percentile_4w
from counted
