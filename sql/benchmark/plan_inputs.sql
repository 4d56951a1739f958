-- Where each presentation stood in its own plan at the end of a day.
select
    school_id,
    count(*) filter (due_day <= $day) as plan_due,
    coalesce(sum(weight) filter (due_day <= $day), 0) as plan_weight,
    max(due_day) filter (due_day <= $day) as plan_last,
    min(due_day) filter (due_day > $day) as plan_next,
    count(*) filter (due_day > $day) as plan_left,
    coalesce(sum(weight) filter (due_day > $day), 0) as plan_weight_left
from work_planned
group by school_id
