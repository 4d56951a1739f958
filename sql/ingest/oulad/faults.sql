-- What would make the derived tables wrong without a sound: a number that is none, a key that is double. Each kind in
-- each column with the rows that have it and the first of them, counted from 1 below the header.
with faults as (
    select 'courses' as relation, 'module_presentation_length' as column_name, 'a length that is not a whole number' as what, rowid as n
    from courses where as_integer(module_presentation_length) is null
    union all
    select 'courses', 'code_presentation', 'a presentation that is not a year and B or J', rowid
    from courses where not regexp_full_match(code_presentation, '(19|20|21)\d\d[BJ]')
    union all
    select 'courses', 'code_presentation', 'a presentation that stands there twice', rowid
    from courses qualify row_number() over (partition by code_module, code_presentation order by rowid) > 1
    union all
    select 'assessments', 'date', 'a day that is not a whole number', rowid
    from assessments where date is not null and as_integer(date) is null
    union all
    select 'assessments', 'weight', 'a weight that is not a number', rowid
    from assessments where weight is not null and as_number(weight) is null
    union all
    select 'assessments', 'id_assessment', 'an assessment that stands there twice', rowid
    from assessments qualify row_number() over (partition by id_assessment order by rowid) > 1
    union all
    select 'people', 'id_student', 'a registration that stands there twice', rowid
    from people qualify row_number() over (partition by code_module, code_presentation, id_student order by rowid) > 1
    union all
    select 'people', 'code_presentation', 'a registration for a presentation that courses.csv does not have', people.rowid
    from people anti join courses using (code_module, code_presentation)
    union all
    select 'people', 'final_result', 'a final result that is not Pass, Distinction, Fail or Withdrawn', rowid
    from people where coalesce(final_result, '') not in ('Pass', 'Distinction', 'Fail', 'Withdrawn')
    union all
    select 'registrations', 'date_registration', 'a day that is not a whole number', rowid
    from registrations where date_registration is not null and as_integer(date_registration) is null
    union all
    select 'registrations', 'date_unregistration', 'a day that is not a whole number', rowid
    from registrations where date_unregistration is not null and as_integer(date_unregistration) is null
    union all
    select 'registrations', 'id_student', 'a registration that stands there twice', rowid
    from registrations qualify row_number() over (partition by code_module, code_presentation, id_student order by rowid) > 1
    union all
    select 'results', 'date_submitted', 'a day that is not a whole number', rowid
    from results where as_integer(date_submitted) is null
    union all
    select 'results', 'score', 'a score that is not a number', rowid
    from results where score is not null and as_number(score) is null
    union all
    select 'results', 'id_student', 'a result that stands there twice', rowid
    from results qualify row_number() over (partition by id_assessment, id_student order by rowid) > 1
)

select relation, column_name, what, count(*) as rows, min(n) + 1 as first_row
from faults
group by relation, column_name, what
order by array_position(['courses', 'assessments', 'people', 'registrations', 'results'], relation), first_row, column_name
