-- Somebody's registration for a presentation, and how it ended. What is only told beside that costs nobody the row: a
-- value that cannot be believed slips, and is left out alone.
with typed as (
    select
        raw.*,
        presentations.starts,
        modules.module as known_module,
        as_integer(num_of_prev_attempts) as attempts,
        as_integer(studied_credits) as credits
    from raw
    left join presentations
        on presentations.module = raw.code_module and presentations.presentation = raw.code_presentation
    left join (select distinct module from presentations) as modules on modules.module = raw.code_module
)

select
    n,
    concat_ws(chr(31), code_module, code_presentation, id_student) as id,
    hash(final_result, gender, imd_band, attempts, credits) as content,
    coalesce(
        missing('code_module', code_module),
        unread('code_module', code_module, known_module, 'unknown_module'),
        missing('code_presentation', code_presentation),
        unread('code_presentation', code_presentation, starts, 'unknown_presentation'),
        bad_number('id_student', id_student),
        missing('final_result', final_result),
        case when final_result not in ('Pass', 'Distinction', 'Fail', 'Withdrawn') then 'final_result:unknown_result' end
    ) as problem,
    string_split(nullif(concat_ws(
        ' ',
        too_long('gender', gender, 10),
        too_long('imd_band', imd_band, 40),
        unread('num_of_prev_attempts', num_of_prev_attempts, attempts, 'invalid_number'),
        outside('num_of_prev_attempts', attempts, 0, 100, 'impossible_number'),
        unread('studied_credits', studied_credits, credits, 'invalid_number'),
        outside('studied_credits', credits, 0, 10000, 'impossible_number')
    ), ''), ' ') as slips
from typed
