-- A presentation of a module: its name says year and month, its length is in days. One that has not ended yet is not
-- in the published files; one that ends after the next year has no school year.
with typed as (
    select
        *,
        as_integer(module_presentation_length) as length,
        make_date(as_integer(left(code_presentation, 4)), case right(code_presentation, 1) when 'B' then 2 else 10 end, 1) as starts
    from raw
)

select
    n,
    concat_ws(chr(31), code_module, code_presentation) as id,
    hash(length) as content,
    coalesce(
        missing('code_module', code_module),
        too_long('code_module', code_module, 20),
        bad_id('code_module', code_module),
        missing('code_presentation', code_presentation),
        case when not regexp_full_match(code_presentation, '20\d\d[BJ]') then 'code_presentation:invalid_presentation' end,
        missing('module_presentation_length', module_presentation_length),
        unread('module_presentation_length', module_presentation_length, length, 'invalid_number'),
        outside('module_presentation_length', length, 1, 450, 'impossible_number'),
        in_future('code_presentation', starts + length, 0)
    ) as problem
from typed
