-- From when to when somebody was registered, in days from the presentation's first day. Whoever withdrew on or before
-- that day never entered, whenever they registered.
with typed as (
    select
        raw.*,
        presentations.starts,
        modules.module as known_module,
        presentations.ends,
        presentations.school_year,
        people.id_student as person,
        starts + as_integer(date_registration) as registered_on,
        starts + as_integer(date_unregistration) as left_on
    from raw
    left join presentations
        on presentations.module = raw.code_module and presentations.presentation = raw.code_presentation
    left join (select distinct module from presentations) as modules on modules.module = raw.code_module
    left join people using (code_module, code_presentation, id_student)
)

select
    n,
    concat_ws(chr(31), code_module, code_presentation, id_student) as id,
    hash(registered_on, left_on) as content,
    coalesce(
        missing('code_module', code_module),
        unread('code_module', code_module, known_module, 'unknown_module'),
        missing('code_presentation', code_presentation),
        unread('code_presentation', code_presentation, starts, 'unknown_presentation'),
        bad_number('id_student', id_student),
        unread('id_student', id_student, person, 'unregistered_student'),
        unread('date_registration', date_registration, registered_on, 'invalid_number'),
        off_calendar('date_registration', registered_on, 366),
        case when registered_on > ends then 'date_registration:outside_calendar' end,
        unread('date_unregistration', date_unregistration, left_on, 'invalid_number'),
        off_calendar('date_unregistration', left_on, 366),
        off_school_year('date_unregistration', left_on, school_year),
        in_future('date_unregistration', left_on, 0),
        case when left_on > starts and left_on < registered_on then 'date_unregistration:exit_before_entry' end
    ) as problem
from typed
