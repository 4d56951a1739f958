-- A presentation of a module: its name says year and month, its length is in days.
select
    n,
    concat_ws(chr(31), code_module, code_presentation) as id,
    hash(as_integer(module_presentation_length)) as content,
    coalesce(
        missing('code_module', code_module),
        too_long('code_module', code_module, 20),
        missing('code_presentation', code_presentation),
        case when not regexp_full_match(code_presentation, '20\d\d[BJ]') then 'code_presentation:invalid_presentation' end,
        missing('module_presentation_length', module_presentation_length),
        unread('module_presentation_length', module_presentation_length, as_integer(module_presentation_length), 'invalid_number'),
        outside('module_presentation_length', as_integer(module_presentation_length), 1, 1000, 'impossible_number')
    ) as problem
from raw
