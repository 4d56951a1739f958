-- Schools on whose roll nobody was scored on a date by a model, with the last day before it on which somebody was.
with newest as (
    select s.school_id, (
        select c.school_year
        from school_calendar as c
        where c.school_id = s.school_id and c.date < :as_of
        order by c.date desc
        limit 1
    ) as school_year
    from schools as s
    where :everywhere = 1 or s.school_id in :schools
),
ours as (
    select e.student_id, e.school_id, e.entry_date
    from newest
    join enrollments as e on e.school_id = newest.school_id and e.school_year = newest.school_year
    where e.entry_date < :as_of
        and e.superseded_at is null
        and not exists (
            select 1
            from enrollments as later
            where later.student_id = e.student_id
                and later.school_id <> e.school_id
                and later.entry_date > e.entry_date
                and later.entry_date < :as_of
                and later.superseded_at is null
        )
)
select s.school_id, (
    select max(p.as_of)
    from ours
    join predictions as p on p.student_id = ours.student_id and p.model_version = :model_version and not p.shadow
    where ours.school_id = s.school_id and p.as_of < :as_of and p.as_of > ours.entry_date
) as scored_on
from newest as s
where not exists (
    select 1
    from ours
    join predictions as p on p.student_id = ours.student_id
    where ours.school_id = s.school_id and p.as_of = :as_of and p.model_version = :model_version and not p.shadow
)
order by s.school_id
