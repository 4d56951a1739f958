-- The place of each student in each course among classmates with marked work in the last four weeks: the share who
-- did worse, ties counting half, in units of 1e-9. Classmates are seen as each was known on that day, because every
-- row stands in the ranking with what was known of it then; a class is a course on one day.
with ranked as (
    select
        row_key,
        counts,
        recent_mean,
        rank() over by_mean as place,
        count(*) over (by_mean range unbounded preceding) as not_ahead,
        count(recent_mean) over (partition by class_key) as classmates
    from course_points
    window by_mean as (partition by class_key order by recent_mean)
)

select
    row_key,
    counts,
    if(recent_mean is null or classmates < 2, null, round(1e9 * (place + not_ahead - 2) / (2 * (classmates - 1))))
        as standing
from ranked
