-- What became of the student, seen from each stay: 'left' (and the last attended day), 'completed', or 'censored' (and
-- the first day that nobody can vouch for). A stay that is followed by another takes its outcome from that one.
with record as (
    -- the first day of which this record can say nothing
    select least(
        cast($known_until as date),
        greatest(
            (select max(date) from calendar where submitted_at < $known_until),
            (select max(cast(recorded_at as date)) from enrollments where recorded_at < $known_until),
            (select max(cast(exit_recorded_at as date)) from enrollments where exit_recorded_at < $known_until)
        ) + 1
    ) as ends
),
year_ends as (
    select school_no, school_year, max(date) + 1 as year_end
    from calendar
    where day_type in ('instructional', 'open')
    group by school_no, school_year
),
followed as (
    select
        known_stays.*,
        lead(entry_date) over later as next_entry,
        lead(school_year) over later as next_year
    from known_stays
    window later as (partition by student_no order by stay)
),
with_absence as (
    select
        followed.*,
        (
            select count(*)
            from calendar
            where calendar.school_no = followed.school_no
                and calendar.day_type in ('instructional', 'open')
                and calendar.date >= followed.exit_date
                and calendar.date < followed.next_entry
        ) as school_days_away
    from followed
),
judged as (
    select
        with_absence.*,
        case
            when list_contains($completing_reasons, exit_reason) then 'completed'
            when list_contains($leaving_reasons, exit_reason)
                and (next_entry is null or school_days_away > $return_within_days) then 'left'
            when next_year <= school_year + 1 then 'goes on'
            else 'censored'
        end as ending
    from with_absence
),
dated as (
    select
        judged.*,
        last_attended.last_attended,
        least(coalesce(judged.exit_date, year_ends.year_end, record.ends), record.ends) as known_to_be_enrolled_until
    from judged
    cross join record
    left join year_ends using (school_no, school_year)
    left join last_attended using (student_no, stay)
),
resolved as (
    select
        student_no,
        school_year,
        entry_date,
        stay,
        first_value(
            case
                when ending <> 'goes on' then struct_pack(
                    ending := ending,
                    last_attended := case when ending = 'left' then last_attended end,
                    enrolled_until := known_to_be_enrolled_until
                )
            end ignore nulls
        ) over (
            partition by student_no order by stay rows between current row and unbounded following
        ) as final
    from dated
)
select
    student_no,
    school_year,
    entry_date,
    final.ending as ending,
    final.last_attended as last_attended,
    final.enrolled_until as enrolled_until
from resolved
qualify row_number() over (partition by student_no, school_year, entry_date order by stay desc) = 1
