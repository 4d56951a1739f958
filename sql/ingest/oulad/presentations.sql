-- A module's presentation as a school: from its first day (day 0) to and with day `length`, on which the last
-- assessments are due. B starts on 1 February, J on 1 October.
select
    code_module as module,
    code_presentation as presentation,
    concat(code_module, '_', code_presentation) as school_id,
    cast(left(code_presentation, 4) as integer) as school_year,
    make_date(
        cast(left(code_presentation, 4) as integer), case right(code_presentation, 1) when 'B' then 2 else 10 end, 1
    ) as starts,
    starts + as_integer(module_presentation_length) as ends
from courses
