-- Canonical attendance, as it became known. Where several assessments are due on one day, the day is missed while
-- anything is missing. At the end of the day what is not there is absent; when the last of it arrives, tardy.
with days as (
    select
        district_id,
        due_date as date,
        count(*) = count(handed_in) as complete,
        max(handed_in) as last_in
    from work
    where expected
    group by all
)

select district_id, date, 'present' as status, date + time '23:59:59' as recorded_at, null as superseded_at
from days
where complete and last_in <= date
union all
select district_id, date, 'absent', date + time '23:59:59', case when complete then last_in end
from days
where not complete or last_in > date
union all
select district_id, date, 'tardy', last_in, null
from days
where complete and last_in > date
order by district_id, date, recorded_at
