-- A school: how it takes attendance, on which day its week starts, and up to when its attendance has arrived.
with typed as (
    select
        n,
        school_id,
        name,
        as_integer(periods_per_day) as periods_per_day,
        coalesce(as_integer(week_starts_on), 1) as week_starts_on,
        as_date(submitted_through) as submitted_through,
        periods_per_day as periods_text,
        week_starts_on as week_text,
        submitted_through as submitted_text
    from raw
)

select
    n,
    school_id as id,
    name,
    periods_per_day,
    week_starts_on,
    submitted_through,
    hash(name, periods_per_day, week_starts_on, submitted_through) as content,
    coalesce(
        missing('school_id', school_id),
        too_long('school_id', school_id, 50),
        bad_id('school_id', school_id),
        too_long('name', name, 200),
        unread('periods_per_day', periods_text, periods_per_day, 'invalid_number'),
        outside('periods_per_day', periods_per_day, 1, 30, 'impossible_number'),
        unread('week_starts_on', week_text, as_integer(week_text), 'invalid_number'),
        outside('week_starts_on', week_starts_on, 1, 7, 'impossible_number'),
        unread('submitted_through', submitted_text, submitted_through, 'invalid_date'),
        in_future('submitted_through', submitted_through, 366)
    ) as problem
from typed
