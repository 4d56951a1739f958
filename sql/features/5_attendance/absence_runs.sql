-- Days with an absence or a late arrival, and for whole days missed the length of their run so far: days without a counted
-- day between them. The windows read the days of a slice of timelines one after another, in passing.
with in_order as (
    select *
    from absences
    where in_slice(timeline_no)
    order by timeline_no, place
),

numbered as (
    select
        *,
        row_number() over () as number,
        whole_day
        and lag(whole_day, 1, false) over ()
        and lag(timeline_no) over () = timeline_no
        and lag(place) over () = place - 1 as goes_on
    from in_order
)

select
    * exclude (number, goes_on),
    number + 1 - max(if(goes_on, 0, number)) over (rows unbounded preceding) as length
from numbered
