-- Stays on their way to the store, as text that both databases read. A past version has an identity of its own; an
-- exit that completes a known stay, without a moment of its own, became known with this import.
select
    hex(case when superseded_at is null then id else version_of(id, recorded_at) end) as id,
    hex(student_id) as student_id,
    school_id,
    school_year,
    grade_level,
    cast(entry_date as varchar) as entry_date,
    cast(exit_date as varchar) as exit_date,
    exit_reason,
    moment_text(recorded_at) as recorded_at,
    moment_text(
        case when action = 'complete' and not exit_stated then getvariable('imported_at') else exit_recorded_at end
    ) as exit_recorded_at,
    moment_text(superseded_at) as superseded_at
from outgoing
order by student_id, school_year, entry_date, recorded_at
