-- The place of each student in each course among classmates with marked work in the last four weeks: the share who
-- did worse, ties counting half, in units of 1e-9. Classmates are seen as each was known on that day, because every
-- row stands in the ranking with what was known of it then. How many are not ahead is read off cume_dist, their share:
-- counting them in a window of its own takes half as long again. Whether there is a standing is the last count.
with ranked as (
    select
        row_key,
        counts,
        recent_mean,
        rank() over by_mean as place,
        cume_dist() over by_mean as share_not_ahead,
        count(*) over (partition by class_key) as classmates
    from course_points
    window by_mean as (partition by class_key order by recent_mean)
),

placed as (
    select
        *,
        recent_mean is not null and classmates > 1 as is_ranked,
        place + round(share_not_ahead * classmates) - 2 as behind_and_beside
    from ranked
)

select
    row_key,
    counts + is_ranked::double * 4398046511104 as counts,
    if(is_ranked, round(1e9 * behind_and_beside / (2 * (classmates - 1))), 0) as standing
from placed
