-- An assessment of a presentation. One without a date is due on the last day; a date lies within the calendar.
with typed as (
    select raw.*, presentations.starts, modules.module as known_module, as_integer(date) as day, as_number(weight) as percent
    from raw
    left join presentations
        on presentations.module = raw.code_module and presentations.presentation = raw.code_presentation
    left join (select distinct module from presentations) as modules on modules.module = raw.code_module
)

select
    n,
    id_assessment as id,
    hash(code_module, code_presentation, assessment_type, day, percent) as content,
    coalesce(
        missing('code_module', code_module),
        unread('code_module', code_module, known_module, 'unknown_module'),
        missing('code_presentation', code_presentation),
        unread('code_presentation', code_presentation, starts, 'unknown_presentation'),
        bad_number('id_assessment', id_assessment),
        too_long('assessment_type', assessment_type, 50),
        unread('date', date, day, 'invalid_number'),
        off_calendar('date', starts + day, 0),
        unread('weight', weight, percent, 'invalid_number'),
        outside('weight', percent, 0, 100, 'impossible_number')
    ) as problem
from typed
