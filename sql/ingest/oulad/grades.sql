-- Canonical grades, as they became known: a score on the day it was handed in; before that, from the end of the due
-- day on, a blank. Work handed in that has no score is no blank and no grade.
select
    district_id,
    school_id as course_id,
    module as course_name,
    id_assessment as assignment,
    score as grade_value,
    handed_in as submission_date,
    due_date,
    weight,
    assessment_type as assignment_type,
    cast(handed_in as timestamp) as recorded_at,
    null as superseded_at
from work
where score is not null
union all
select
    district_id, school_id, module, id_assessment, null, due_date, due_date, weight, assessment_type,
    due_date + time '23:59:59', handed_in
from work
where expected and (handed_in is null or handed_in > due_date)
order by district_id, assignment, recorded_at
