-- What would make the derived tables wrong without a sound: a number that is none, a key that is double.
with faults as (
    select 'courses.csv: a length that is not a whole number' as what, count(*) as rows
    from courses where as_integer(module_presentation_length) is null
    union all
    select 'courses.csv: a presentation that is not a year and B or J', count(*)
    from courses where not regexp_full_match(code_presentation, '(19|20|21)\d\d[BJ]')
    union all
    select 'courses.csv: a presentation that stands there twice', count(*) - count(distinct (code_module, code_presentation))
    from courses
    union all
    select 'assessments.csv: a date or a weight that is not a number', count(*)
    from assessments
    where (date is not null and as_integer(date) is null) or (weight is not null and as_number(weight) is null)
    union all
    select 'assessments.csv: an assessment that stands there twice', count(*) - count(distinct id_assessment)
    from assessments
    union all
    select 'studentInfo.csv: a registration that stands there twice', count(*) - count(distinct (code_module, code_presentation, id_student))
    from people
    union all
    select 'studentInfo.csv: a registration for a presentation that courses.csv does not have', count(*)
    from people anti join courses using (code_module, code_presentation)
    union all
    select 'studentInfo.csv: a final result that is not Pass, Distinction, Fail or Withdrawn', count(*)
    from people where coalesce(final_result, '') not in ('Pass', 'Distinction', 'Fail', 'Withdrawn')
    union all
    select 'studentRegistration.csv: a day that is not a whole number', count(*)
    from registrations
    where (date_registration is not null and as_integer(date_registration) is null)
        or (date_unregistration is not null and as_integer(date_unregistration) is null)
    union all
    select 'studentRegistration.csv: a registration that stands there twice', count(*) - count(distinct (code_module, code_presentation, id_student))
    from registrations
    union all
    select 'studentAssessment.csv: a day or a score that is not a number', count(*)
    from results
    where as_integer(date_submitted) is null or (score is not null and as_number(score) is null)
    union all
    select 'studentAssessment.csv: a result that stands there twice', count(*) - count(distinct (id_assessment, id_student))
    from results
)

select what, rows from faults where rows > 0
