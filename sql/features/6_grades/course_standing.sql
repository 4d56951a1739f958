-- The place of each student in each course among classmates with marked work in the last four weeks: the share who
-- did worse, ties counting half, in units of 1e-9. Classmates are seen as each was known on that day, because every
-- row stands in the ranking with what was known of it then. All classes are ranked in one line, one behind the other, and
-- the places taken before a class are subtracted: a third less than to part the classes. How many are not ahead is read
-- off cume_dist, their share. Whether there is a standing is the last count.
with classes as (
    select
        class_of(class_mean) as class_no,
        count(*) as classmates,
        sum(count(*)) over (order by class_of(class_mean)) - count(*) as before,
        sum(count(*)) over () as everyone
    from course_points
    group by class_of(class_mean)
),

ranked as (
    select
        row_key,
        counts,
        class_of(class_mean) as class_no,
        rank() over in_line as place,
        cume_dist() over in_line as share_not_ahead
    from course_points
    window in_line as (order by class_mean)
),

placed as (
    select
        *,
        class_no > 0 and classmates > 1 as is_ranked,
        place - 1 - before + round(share_not_ahead * everyone) - 1 - before as behind_and_beside
    from ranked
    join classes using (class_no)
)

select
    row_key,
    counts + is_ranked::double * 4398046511104 as counts,
    if(is_ranked, round(1e9 * behind_and_beside / (2 * (classmates - 1))), 0) as standing
from placed
