-- Where every row of the published files went. `part` 0 is the whole, and the other parts of an account add up to it.
with stays as (
    select
        *,
        final_result = 'Withdrawn' as withdrew
    from registered
),

handed as (
    select
        results.*,
        registered.entered,
        results.is_banked = '1' as banked
    from results
    left join assessments using (id_assessment)
    left join registered
        on registered.person = results.id_student
        and registered.module = assessments.code_module and registered.presentation = assessments.code_presentation
)

select 'registrations' as account, 0 as part, 'published' as what, count(*) as rows from people
union all select 'registrations', 1, 'never entered: withdrew on or before the first day', count(*) from stays where not entered
union all select 'registrations', 2, 'entered and withdrew later', count(*) from stays where entered and withdrew and left_on is not null
union all select 'registrations', 3, 'entered and withdrew without a date: reason unknown, kept to the last day', count(*) from stays where entered and withdrew and left_on is null
union all select 'registrations', 4, 'entered, left on a date and not marked withdrawn: reason unknown', count(*) from stays where entered and not withdrew and left_on is not null
union all select 'registrations', 5, 'entered and stayed to the end (pass, distinction, fail)', count(*) from stays where entered and not withdrew and left_on is null
union all select 'assessments', 0, 'published', count(*) from assessments
union all select 'assessments', 1, 'without any published result (final exams): not expected of anybody', count(*) from assessments where id_assessment not in (select id_assessment from results)
union all select 'assessments', 2, 'used, without a date: due on the last day', count(*) from assessments semi join due using (id_assessment) where date is null
union all select 'assessments', 3, 'used', count(*) from assessments semi join due using (id_assessment) where date is not null
union all select 'results', 0, 'published', count(*) from results
union all select 'results', 1, 'banked from an earlier presentation: excluded', count(*) from handed where banked
union all select 'results', 2, 'of somebody who never entered: excluded', count(*) from handed where not banked and entered is distinct from true
union all select 'results', 3, 'handed in without a score: known as handed in, no grade', count(*) from handed where not banked and entered and score is null
union all select 'results', 4, 'used as a grade', count(*) from handed where not banked and entered and score is not null
order by account desc, part
