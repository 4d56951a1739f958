-- Whole days missed, each with the length of its run so far: days without a counted day between them.
with missed as (
    select
        timeline_no,
        week,
        place,
        place - row_number() over (partition by timeline_no order by place) as run
    from absences
    where whole_day
)

select
    timeline_no,
    week,
    place,
    row_number() over (partition by timeline_no, run order by place) as length
from missed
