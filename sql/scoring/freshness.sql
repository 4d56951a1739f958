-- For each school: the last day on which attendance was expected before as_of, the last one that had arrived by
-- then, and how many of the last weeks' days (from since on) are still missing.
select
    s.school_id,
    s.name,
    max(case when c.date < :as_of then c.date end) as expected_through,
    max(case when c.date < :as_of and c.submitted_at < :as_of then c.date end) as arrived_through,
    sum(case
        when c.date >= :since and c.date < :as_of and (c.submitted_at is null or c.submitted_at >= :as_of) then 1
        else 0
    end) as days_missing
from schools as s
left join school_calendar as c on c.school_id = s.school_id and c.day_type = 'instructional'
group by s.school_id, s.name
order by s.school_id
