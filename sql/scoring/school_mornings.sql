-- The days of a stretch on which at least half of the schools that have school in it have school.
select date
from school_calendar
where date >= :since and date <= :until and day_type <> 'closed'
group by date
having 2 * count(distinct school_id) >= (
    select count(distinct school_id)
    from school_calendar
    where date >= :since and date <= :until and day_type <> 'closed'
)
order by date
