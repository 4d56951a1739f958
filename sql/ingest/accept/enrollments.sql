-- A stay in one school year. `base` is what the stay is, `content` also how it ended: an exit that becomes known
-- later completes the same stay, because `exit_recorded_at` says since when we know it.
with typed as (
    select
        raw.n,
        raw.district_id,
        raw.school_id,
        known_students.id as student_id,
        known_schools.id as known_school,
        as_integer(raw.school_year) as school_year,
        coalesce(as_integer(levels.value), as_integer(raw.grade_level)) as grade_level,
        as_date(raw.entry_date) as entry_date,
        as_date(raw.exit_date) as exit_date,
        case when raw.exit_reason is null and raw.exit_date is not null then 'unknown' else reasons.value end as exit_reason,
        when_recorded(raw.recorded_at, as_date(raw.entry_date)) as recorded_at,
        when_recorded(raw.exit_recorded_at, as_date(raw.exit_date)) as exit_recorded_at,
        raw.exit_recorded_at is not null as exit_stated,
        as_moment(raw.superseded_at) as superseded_at,
        raw.school_year as year_text,
        raw.grade_level as grade_text,
        raw.entry_date as entry_text,
        raw.exit_date as exit_text,
        raw.exit_reason as reason_text,
        raw.recorded_at as recorded_text,
        raw.exit_recorded_at as exit_recorded_text,
        raw.superseded_at as superseded_text
    from raw
    left join known_students on known_students.district_id = raw.district_id
    left join known_schools on known_schools.id = raw.school_id
    left join codes as levels on levels.field = 'grade_level' and levels.code = lower(raw.grade_level)
    left join codes as reasons on reasons.field = 'exit_reason' and reasons.code = lower(raw.exit_reason)
)

select
    n,
    cast(md5(
        concat_ws(chr(31), 'edupulse:enrollments', district_id, school_id, school_year, entry_date)
    ) as uuid) as id,
    student_id,
    school_id,
    school_year,
    grade_level,
    entry_date,
    exit_date,
    exit_reason,
    recorded_at,
    case when exit_date is not null then exit_recorded_at end as exit_recorded_at,
    superseded_at,
    recorded_text is not null as stated,
    exit_stated,
    hash(grade_level) as base,
    exit_date is not null as complete,
    hash(grade_level, exit_date, exit_reason) as content,
    coalesce(
        missing('district_id', district_id),
        unread('district_id', district_id, student_id, 'unknown_student'),
        missing('school_id', school_id),
        unread('school_id', school_id, known_school, 'unknown_school'),
        missing('school_year', year_text),
        unread('school_year', year_text, school_year, 'invalid_number'),
        outside('school_year', school_year, 1900, 2199, 'impossible_number'),
        unread('grade_level', grade_text, grade_level, 'invalid_number'),
        outside('grade_level', grade_level, 0, 12, 'impossible_grade_level'),
        missing('entry_date', entry_text),
        unread('entry_date', entry_text, entry_date, 'invalid_date'),
        in_future('entry_date', entry_date, 366),
        off_school_year('school_year', entry_date, school_year),
        unread('exit_date', exit_text, exit_date, 'invalid_date'),
        case when exit_date < entry_date then 'exit_date:exit_before_entry' end,
        off_school_year('exit_date', exit_date, school_year),
        unread('exit_reason', reason_text, exit_reason, 'unknown_code'),
        case when reason_text is not null and exit_text is null then 'exit_date:missing_value' end,
        unread('exit_recorded_at', exit_recorded_text, as_moment(exit_recorded_text), 'invalid_timestamp'),
        in_future('exit_recorded_at', as_moment(exit_recorded_text), 1),
        bad_versions(recorded_text, recorded_at, superseded_text, superseded_at)
    ) as problem
from typed
