-- Every piece of work that was due or handed in by the end of a day, as it could be seen that evening, of everybody who
-- ever registered. When somebody left is not asked: whoever had left handed nothing in.
with handed_in as (
    select
        id_assessment,
        id_student as person,
        as_integer(date_submitted) as day_in,
        as_number(score) as score,
        coalesce(as_integer(is_banked), 0) = 1 as banked
    from results
    where as_integer(date_submitted) <= $day
)

select
    registered.school_id,
    registered.person,
    work_planned.* exclude (school_id),
    work_planned.due_day <= $day as is_due,
    handed_in.day_in,
    handed_in.day_in is not null as is_in,
    coalesce(handed_in.banked, false) as banked,
    handed_in.score,
    greatest(least(work_planned.due_day - handed_in.day_in, 60), -60) as lead
from registered
join work_planned using (school_id)
left join handed_in
    on handed_in.id_assessment = work_planned.id_assessment
    and handed_in.person = registered.person
where work_planned.due_day <= $day or handed_in.day_in is not null
