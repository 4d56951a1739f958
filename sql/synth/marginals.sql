-- What a district looks like from outside, measured on its canonical CSVs: one row, one column a figure.
with stays as (
    select *, grade_level >= 9 as high_school from enrollments where superseded_at is null
),
due_days as (
    select stays.district_id, stays.school_year, calendar.date, coalesce(schools.periods_per_day, 1) as periods
    from stays
    join schools using (school_id)
    join calendar using (school_id, school_year)
    where calendar.day_type = 'instructional'
        and calendar.date between stays.entry_date and schools.submitted_through
        and calendar.date < coalesce(stays.exit_date, date '9999-01-01')
),
missed as (
    select district_id, date, count(*) as periods_missed
    from attendance
    where superseded_at is null and status in ('absent', 'excused')
    group by all
),
student_years as (
    select
        due_days.district_id,
        due_days.school_year,
        avg(least(1.0, coalesce(missed.periods_missed, 0) / due_days.periods)) as absence_rate
    from due_days
    left join missed using (district_id, date)
    group by all
    having count(*) >= 20
),
incidents as (
    select
        district_id,
        year(incident_date) - cast(month(incident_date) < 8 as integer) as school_year,
        count(*) as incidents,
        bool_or(resolution like 'out-of-school%' or resolution = 'expulsion') as suspended
    from discipline
    where superseded_at is null
    group by all
),
trouble as (
    select
        coalesce(incidents.incidents, 0) as incidents,
        coalesce(incidents.suspended, false) as suspended,
        row_number() over (order by coalesce(incidents.incidents, 0) desc) <= 0.05 * count(*) over () as top
    from (select distinct district_id, school_year from stays) as members
    left join incidents using (district_id, school_year)
),
exits as (
    select
        high_school,
        count(distinct (district_id, school_year)) as members,
        count(*) filter (where exit_reason in ('dropout', 'transfer_unverified')) as leavers,
        count(*) filter (where exit_reason = 'transfer_verified') as transfers
    from stays
    group by high_school
)
select
    (select avg(cast(absence_rate >= 0.1 as integer)) from student_years) as chronic_absence,
    (select avg(absence_rate) from student_years) as absence,
    (select leavers / members from exits where high_school) as leaving_9_to_12,
    (select leavers / members from exits where not high_school) as leaving_6_to_8,
    (select sum(transfers) / sum(members) from exits) as verified_moves,
    (select sum(incidents) filter (where top) / sum(incidents) from trouble) as incidents_of_top_5_percent,
    (select avg(cast(suspended as integer)) from trouble) as suspended_out_of_school
