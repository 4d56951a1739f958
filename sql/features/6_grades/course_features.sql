-- Courses of each row, counted: the packed counts added up and taken apart, see course_points.
with packed as (
    select
        row_key,
        sum(counts)::bigint as counts,
        sum(standing) as standing,
        count(standing) as ranked
    from course_standing
    group by row_key
)

select
    row_key,
    (counts & 127)::double as courses,
    ((counts >> 7) & 127)::double as compared,
    ((counts >> 14) & 127)::double as declining,
    ((counts >> 21) & 127)::double as failing,
    ((counts >> 28) & 127)::double as grade_points,
    (counts >> 35)::double as earlier_points,
    standing / nullif(ranked, 0) / 1e9 as standing
from packed
