-- Runs of whole days missed without a counted day between them. For each timeline and week: the place and the length
-- of the run at the last missed day, as one number (place × 1000 + length), and the longest run reached.
with missed as (
    select
        timeline_no,
        week,
        place,
        place - row_number() over (partition by timeline_no order by place) as run
    from absences
    where whole_day
),

grown as (
    select
        timeline_no,
        week,
        place,
        row_number() over (partition by timeline_no, run order by place) as length
    from missed
)

select
    timeline_no,
    week,
    max(place * 1000 + length)::integer as last_run,
    max(length)::integer as longest_run
from grown
group by timeline_no, week
