-- What the same person had handed in for other presentations by the end of the same day.
with dated as (
    select
        results.id_student as person,
        due.school_id,
        due.module,
        presentations.starts + as_integer(results.date_submitted) as date_in,
        due.due_date - (presentations.starts + as_integer(results.date_submitted)) as lead,
        as_number(results.score) as score
    from results
    join due using (id_assessment)
    join presentations using (school_id)
    where coalesce(as_integer(results.is_banked), 0) = 0
)

select
    registered.school_id,
    registered.person,
    count(*) as elsewhere_in,
    avg(dated.score) as elsewhere_score,
    min(dated.score) as elsewhere_least,
    avg(dated.lead) as elsewhere_lead,
    min(registered.starts + $day - dated.date_in) as elsewhere_days_since,
    count(*) filter (dated.date_in >= registered.starts) as elsewhere_now,
    count(distinct dated.school_id) as elsewhere_presentations,
    count(*) filter (dated.module = registered.module) as elsewhere_same_module
from registered
join dated
    on dated.person = registered.person
    and dated.school_id <> registered.school_id
    and dated.date_in <= registered.starts + $day
group by registered.school_id, registered.person
