-- What became of the good rows of the published files, each row once.
with fates as (
    select
        'assessments' as file,
        case
            when due.id_assessment is null then 'without any result (final exams: expected of nobody)'
            when assessments.date is null then 'used (without a date: due on the last day)'
            else 'used'
        end as kind
    from assessments
    left join due using (id_assessment)
    union all
    select
        'studentInfo',
        case
            when registered.person is null then 'without a good row in studentRegistration.csv (left out)'
            when not entered then 'never entered (withdrew on or before the first day)'
            when registered.final_result = 'Withdrawn' and left_on is null then 'withdrew without a date (reason unknown: kept to the last day)'
            when registered.final_result = 'Withdrawn' then 'withdrew later'
            when left_on is not null then 'left on a date and not marked withdrawn (reason unknown)'
            else 'stayed to the end'
        end
    from people
    left join registered
        on registered.person = people.id_student
        and registered.module = people.code_module and registered.presentation = people.code_presentation
    union all
    select
        'studentAssessment',
        case
            when as_integer(results.is_banked) = 1 then 'banked from an earlier presentation (left out)'
            when registered.person is null then 'of somebody without a good row in studentRegistration.csv (left out)'
            when not entered then 'of somebody who never entered (left out)'
            when results.score is null then 'without a score (handed in: no grade)'
            else 'used as a grade'
        end
    from results
    join assessments using (id_assessment)
    left join registered
        on registered.person = results.id_student
        and registered.module = assessments.code_module and registered.presentation = assessments.code_presentation
)

select file, kind, count(*) as rows
from fates
group by all
order by file, rows desc, kind
