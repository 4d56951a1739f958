-- Coursework of the year with its due day and weight, without exams. A row without a mark is work that was not handed
-- in by its due day. Marks and weights are whole hundredths, so that sums are exact.
select
    student_no,
    assignment,
    upper(assignment_type) as assignment_type,
    submission_date as date,
    coalesce(due_date, submission_date) as due_date,
    grade_value is not null as handed_in,
    round(grade_value::double * 100)::bigint as mark,
    round(coalesce(weight, 0)::double * 100)::bigint as weight,
    greatest(least(coalesce(due_date, submission_date) - submission_date, 30), -30) as lead_days,
    coalesce(recorded_at, submission_date)::timestamp as recorded_at,
    superseded_at::timestamp as superseded_at
from grades
where submission_date >= getvariable('first_date')
  and submission_date < getvariable('end_date')
  and upper(assignment_type) <> 'EXAM'
