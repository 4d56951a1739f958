-- Words that the statements in accept/ share. A check gives 'column:reason', or null where there is nothing to say.

-- Dates: ISO first, then the district's own formats. DuckDB also reads 'epoch' and 'infinity' as dates; we do not.
create or replace temp macro within_reason(moment) as
    case when moment >= timestamp '1900-01-01' and moment < timestamp '2200-01-01' then moment end;

create or replace temp macro contains_digit(text) as regexp_matches(text, '\d');

create or replace temp macro as_date(text) as cast(within_reason(
    case
        when regexp_full_match(text, '\d{4}-\d{2}-\d{2}') then cast(try_cast(text as date) as timestamp)
        when contains_digit(text) then try_strptime(text, getvariable('date_formats'))
    end
) as date);

create or replace temp macro as_moment(text) as within_reason(
    case
        when regexp_full_match(text, '\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?')
        then date_trunc('second', try_cast(text as timestamp))
        when contains_digit(text) then try_strptime(text, getvariable('date_formats'))
    end
);

-- A plain cast would round '3.7' to 4 and read 'inf'.
create or replace temp macro as_integer(text) as
    case when regexp_full_match(text, '[+-]?\d{1,9}(\.0+)?') then cast(try_cast(text as double) as integer) end;

create or replace temp macro as_number(text) as
    case when regexp_full_match(text, '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?') then try_cast(text as double) end;

-- A mail address as browsers know it, plain letters only, so that nothing in it can be taken for a second header.
create or replace temp macro as_address(text) as case
    when length(text) <= 320 and regexp_full_match(
        text, '[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*'
    ) then text
end;

create or replace temp macro missing(name, value) as
    case when value is null then name || ':missing_value' end;

create or replace temp macro unread(name, text, value, reason) as
    case when text is not null and value is null then name || ':' || reason end;

create or replace temp macro outside(name, value, low, high, reason) as
    case when value < low or value > high then name || ':' || reason end;

-- An identifier that is a whole number and nothing else: it is compared as the text that it is.
create or replace temp macro bad_number(name, text) as case
    when text is null then name || ':missing_value'
    when not regexp_full_match(text, '\d{1,12}') then name || ':invalid_number'
end;

-- Values that were set aside while their row is kept: is this column among them?
create or replace temp macro slipped(slips, name) as
    coalesce(contains(' ' || array_to_string(slips, ' '), ' ' || name || ':'), false);

-- Within the calendar's days, or as many days before and after as a record may lie outside the school year.
create or replace temp macro off_calendar(name, day, slack) as case
    when day < (select min(first_day) from known_calendar) - slack or day > (select max(last_day) from known_calendar) + slack
        then name || ':outside_calendar'
end;

-- After the day of the import, or as many days after it as may be known in advance; a day is left to time zones.
create or replace temp macro in_future(name, moment, slack) as
    case when moment > getvariable('imported_at') + to_days(slack) then name || ':in_the_future' end;

-- School years are called by the year in which they begin or end, and a stay in one may begin in either.
create or replace temp macro off_school_year(name, day, school_year) as
    case when abs(year(day) - school_year) > 1 then name || ':outside_school_year' end;

create or replace temp macro too_long(name, text, most) as
    case
        when length(text) > most then name || ':too_long'
        when contains(text, chr(0)) then name || ':invalid_character'
    end;

-- An identifier is compared letter by letter, so one that cannot be seen would make two students of one.
create or replace temp macro bad_id(name, text) as
    case when regexp_matches(text, '[\p{Cc}\p{Cf}]') then name || ':invalid_character' end;

-- A JSON object that both databases keep: PostgreSQL has no NUL, and no number of more than a few thousand digits.
create or replace temp macro bad_object(name, text) as case
    when text is null then null
    when json_type(try_cast(text as json)) is distinct from 'OBJECT' or regexp_matches(text, '[eE][+-]?\d{4}')
        then name || ':invalid_json'
    when contains(text, '\u0000') then name || ':invalid_character'
end;

-- When the record came without a moment, it counts as recorded on the day it is about.
create or replace temp macro when_recorded(text, day) as coalesce(as_moment(text), cast(day as timestamp));

create or replace temp macro bad_versions(recorded_text, recorded_at, superseded_text, superseded_at) as coalesce(
    unread('recorded_at', recorded_text, as_moment(recorded_text), 'invalid_timestamp'),
    unread('superseded_at', superseded_text, superseded_at, 'invalid_timestamp'),
    in_future('recorded_at', as_moment(recorded_text), 1),
    in_future('superseded_at', superseded_at, 1),
    case when superseded_at < recorded_at then 'superseded_at:superseded_before_recorded' end
);

-- One closed version of a record: its identity and the moment it was recorded.
create or replace temp macro version_of(id, recorded_at) as
    cast(md5(concat_ws(chr(31), 'edupulse:version', cast(id as varchar), cast(recorded_at as varchar))) as uuid);

-- Student, day and period as one number; a blank period is a value of its own.
create or replace temp macro attendance_key(student_no, day, period) as
    (cast(student_no as bigint) << 28) + ((day - date '1900-01-01') << 7) + coalesce(period, -1) + 1;

-- What a JSON object says, whatever the order of its keys and its white space: PostgreSQL changes both.
create or replace temp macro json_leaves(text) as (
    select list(concat(fullkey, '=', atom) order by fullkey)
    from json_tree(coalesce(try_cast(text as json), '{}'))
    where atom is not null
);

-- As both databases read it.
create or replace temp macro hex(id) as replace(cast(id as varchar), '-', '');
create or replace temp macro moment_text(moment) as cast(date_trunc('second', moment) as varchar) || '.000000';
