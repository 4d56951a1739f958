-- A school's day: is attendance expected, and had the school submitted it. A day without a moment of its own counts
-- as submitted on that day, up to and with the school's `submitted_through`.
with typed as (
    select
        raw.n,
        raw.school_id,
        known_schools.id as known_school,
        as_date(raw.date) as date,
        as_integer(raw.school_year) as school_year,
        codes.value as day_type,
        coalesce(
            as_moment(raw.submitted_at),
            case when as_date(raw.date) <= known_schools.submitted_through then as_date(raw.date) end
        ) as submitted_at,
        raw.date as date_text,
        raw.school_year as year_text,
        raw.day_type as type_text,
        raw.submitted_at as submitted_text
    from raw
    left join known_schools on known_schools.id = raw.school_id
    left join codes on codes.field = 'day_type' and codes.code = lower(raw.day_type)
)

select
    n,
    row(school_id, date) as id,
    school_id,
    date,
    school_year,
    day_type,
    submitted_at,
    hash(school_year, day_type, submitted_at) as content,
    coalesce(
        missing('school_id', school_id),
        unread('school_id', school_id, known_school, 'unknown_school'),
        missing('date', date_text),
        unread('date', date_text, date, 'invalid_date'),
        missing('school_year', year_text),
        unread('school_year', year_text, school_year, 'invalid_number'),
        outside('school_year', school_year, 1900, 2199, 'impossible_number'),
        off_school_year('school_year', date, school_year),
        in_future('date', date, 731),
        missing('day_type', type_text),
        unread('day_type', type_text, day_type, 'unknown_code'),
        unread('submitted_at', submitted_text, as_moment(submitted_text), 'invalid_timestamp'),
        in_future('submitted_at', as_moment(submitted_text), 1)
    ) as problem
from typed
