-- For each school with a school day since a day: how many of its last five school days before as_of have not arrived by then, none of them of an
-- earlier school year than the last, and how many of its last days in a row, whatever the year (at most five).
with days as (
    select
        school_id,
        school_year,
        case when submitted_at < :as_of then 0 else 1 end as missing,
        max(school_year) over (partition by school_id) as newest_year,
        row_number() over (partition by school_id order by date desc) as place
    from school_calendar
    where day_type = 'instructional' and date >= :since and date < :as_of
),
last_arrived as (
    select school_id, min(place) as place
    from days
    where missing = 0
    group by school_id
)
select
    d.school_id,
    sum(case when d.school_year = d.newest_year then d.missing else 0 end) as days_missing,
    sum(case when d.place < coalesce(a.place, 6) then 1 else 0 end) as days_silent
from days as d
left join last_arrived as a on a.school_id = d.school_id
where d.place <= 5
group by d.school_id
order by d.school_id
