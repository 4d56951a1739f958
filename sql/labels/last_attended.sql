-- The last attended day of every stay that ended in a way the policy counts as leaving.
-- Evidence is an instructional day whose attendance the school had submitted. On an open day nobody takes attendance:
-- it says what the last day with evidence said. A stay without any school day falls back on its paperwork.
with leaving_stays as (
    select known_stays.*, coalesce(schools.periods_per_day, 1) as periods_per_day
    from known_stays
    join schools using (school_no)
    where list_contains($leaving_reasons, known_stays.exit_reason)
),
school_days as (
    select
        leaving_stays.student_no,
        leaving_stays.stay,
        leaving_stays.periods_per_day,
        calendar.date,
        calendar.day_type
    from leaving_stays
    join calendar
        on calendar.school_no = leaving_stays.school_no
        and calendar.school_year = leaving_stays.school_year
        and calendar.date >= leaving_stays.entry_date
        and calendar.date < leaving_stays.exit_date
    where calendar.day_type = 'open'
        or (calendar.day_type = 'instructional' and calendar.submitted_at < $known_until)
),
attendance_of_leavers as (
    select student_no, date, period, status
    from attendance
    where student_no in (select student_no from leaving_stays)
        and recorded_at < $known_until
        and (superseded_at is null or superseded_at >= $known_until)
),
days_with_records as (
    select
        school_days.student_no,
        school_days.stay,
        school_days.date,
        school_days.day_type,
        coalesce(bool_or(attendance.status in ('present', 'tardy')), false) as seen,
        coalesce(bool_or(attendance.period is null and attendance.status in ('absent', 'excused')), false)
            or count(distinct attendance.period) filter (where attendance.status in ('absent', 'excused'))
            >= any_value(school_days.periods_per_day) as missed
    from school_days
    left join attendance_of_leavers as attendance
        on attendance.student_no = school_days.student_no and attendance.date = school_days.date
    group by all
),
judged_days as (
    select
        *,
        coalesce(
            last_value(case when day_type = 'instructional' then seen or not missed end ignore nulls) over (
                partition by student_no, stay order by date
            ),
            true
        ) as attended
    from days_with_records
),
last_days as (
    select student_no, stay, max(date) filter (where attended) as last_attended
    from judged_days
    group by student_no, stay
)
select
    leaving_stays.student_no,
    leaving_stays.stay,
    case
        when last_days.stay is null then greatest(leaving_stays.exit_date - 1, leaving_stays.entry_date - 1)
        else coalesce(last_days.last_attended, leaving_stays.entry_date - 1)
    end as last_attended
from leaving_stays
left join last_days using (student_no, stay)
