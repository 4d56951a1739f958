-- Canonical schools.
select
    school_id,
    concat_ws(' ', module, presentation) as name,
    isodow(starts) as week_starts_on,
    ends as submitted_through
from presentations
order by school_id
