-- The first pieces of the plan one by one, where they were due by the end of the day.
select school_id, person, place, score, lead, weight, due_day
from work_seen
where is_due and place <= 8
order by school_id, person, place
