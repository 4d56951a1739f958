-- Of some students of one grade who never had a plan, between two days: the days of instruction whose attendance had arrived,
-- and how much of them was missed, before and from a day in the middle on. One row per student.
with people as (
    select stay.student_id, stay.school_id, stay.school_year, stay.entry_date, stay.exit_date
    from enrollments as stay
    where
        stay.student_id in :student_ids
        and stay.school_year = :school_year
        and stay.grade_level = :grade
        and stay.superseded_at is null
        and not exists (
            select 1
            from interventions as plan
            where plan.student_id = stay.student_id and plan.state <> 'withdrawn'
        )
),
expected as (
    select
        people.student_id,
        sum(case when day.date < :middle then 1 else 0 end) as days_before,
        sum(case when day.date >= :middle then 1 else 0 end) as days_after
    from people
    inner join school_calendar as day
        on day.school_id = people.school_id
        and day.school_year = people.school_year
        and day.date >= :since
        and day.date < :until
        and day.date >= people.entry_date
        and (people.exit_date is null or day.date < people.exit_date)
    where day.day_type = 'instructional' and day.submitted_at < :until
    group by people.student_id
),
missed as (
    select
        people.student_id,
        sum(case when record.date < :middle then 1.0 else 0.0 end / case when record.period is null then 1 else coalesce(schools.periods_per_day, 1) end) as missed_before,
        sum(case when record.date >= :middle then 1.0 else 0.0 end / case when record.period is null then 1 else coalesce(schools.periods_per_day, 1) end) as missed_after
    from people
    inner join schools on schools.school_id = people.school_id
    inner join attendance_records as record
        on record.student_id = people.student_id
        and record.date >= :since
        and record.date < :until
        and record.date >= people.entry_date
        and (people.exit_date is null or record.date < people.exit_date)
        and record.superseded_at is null
        and record.status in ('absent', 'excused')
    group by people.student_id
)
select
    expected.student_id,
    expected.days_before,
    expected.days_after,
    coalesce(missed.missed_before, 0) as missed_before,
    coalesce(missed.missed_after, 0) as missed_after
from expected
left join missed on missed.student_id = expected.student_id
where expected.days_before > 0 and expected.days_after > 0
