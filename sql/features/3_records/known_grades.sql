-- The year's assignments known at the cutoff. Marks are whole hundredths of a point, so that sums are exact.
select
    student_no,
    course_id,
    submission_date as date,
    round(grade_value::double * 100)::integer as mark,
    coalesce(lower(assignment_type) in ('test', 'quiz', 'exam', 'midterm', 'final', 'cma'), false) as is_test,
    coalesce(lower(assignment_type) in ('homework', 'assignment', 'classwork', 'tma'), false) as is_homework,
    coalesce(recorded_at, submission_date)::timestamp as recorded_at,
    case when superseded_at::timestamp < getvariable('cutoff') then superseded_at::timestamp end as superseded_at
from grades
where submission_date >= getvariable('first_date')
  and submission_date < getvariable('end_date')
  and coalesce(recorded_at, submission_date)::timestamp < getvariable('cutoff')
