-- A student's day or period. The key packs student, day and period into one number: four million of them must be
-- compared, and a number compares ten times faster than text.
with hours as (
    select known_enrollments.student_id, max(known_schools.periods_per_day) as periods_per_day
    from known_enrollments
    join known_schools on known_schools.id = known_enrollments.school_id
    group by all
    having count(*) = count(known_schools.periods_per_day)
),

typed as (
    select
        raw.n,
        known_students.id as student_id,
        known_students.student_no,
        hours.periods_per_day,
        as_date(raw.date) as date,
        as_integer(raw.period) as period,
        codes.value as status,
        as_moment(raw.superseded_at) as superseded_at,
        raw.district_id as district_text,
        raw.date as date_text,
        raw.period as period_text,
        raw.status as status_text,
        raw.recorded_at as recorded_text,
        raw.superseded_at as superseded_text
    from raw
    left join known_students on known_students.district_id = raw.district_id
    left join hours on hours.student_id = known_students.id
    left join codes on codes.field = 'status' and codes.code = lower(raw.status)
),

dated as (select *, when_recorded(recorded_text, date) as recorded_at from typed)

select
    n,
    attendance_key(student_no, date, period) as id,
    student_id,
    date,
    period,
    status,
    recorded_at,
    superseded_at,
    recorded_text is not null as stated,
    status as content,
    coalesce(
        missing('district_id', district_text),
        unread('district_id', district_text, student_id, 'unknown_student'),
        missing('date', date_text),
        unread('date', date_text, date, 'invalid_date'),
        off_calendar('date', date, 0),
        in_future('date', date, 1),
        unread('period', period_text, period, 'invalid_number'),
        outside('period', period, 1, coalesce(periods_per_day, 99), 'impossible_period'),
        missing('status', status_text),
        unread('status', status_text, status, 'unknown_code'),
        bad_versions(recorded_text, recorded_at, superseded_text, superseded_at)
    ) as problem
from dated
