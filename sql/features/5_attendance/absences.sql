-- Days with an absence or a late arrival, on counted days only. Parts of a day are whole numbers of 1/27720, which
-- every number of periods up to 12 divides, so that sums are exact whatever their order.
-- A record without a period stands for the whole day.
-- What a day is at a school, and the week it counts to, are put into one small table first, so that the absences are gone
-- through on all cores and look it up. Joined at once, these days would be gone through, on one core.
with paired as (
    select distinct home_no, school_no, view from attendance_segments
),

counted_days as materialized (
    select
        paired.home_no,
        paired.school_no,
        paired.view,
        school_days.date,
        school_days.days_before + 1 as place,
        week_of_date.week,
        coalesce(schools.periods_per_day, 1) as periods
    from paired
    join school_days using (school_no, view)
    join week_of_date
        on week_of_date.school_no = paired.home_no
        and week_of_date.date = school_days.date
    join schools on schools.school_no = paired.school_no
    where school_days.counts
),

records as (
    select
        timelines.timeline_no,
        greatest(counted_days.week, timelines.fold_week) as week,
        attendance_exceptions.date,
        counted_days.place + attendance_segments.place_offset as place,
        counted_days.periods,
        attendance_exceptions.status,
        if(attendance_exceptions.period is null, counted_days.periods, 1) as periods_covered
    from attendance_exceptions
    join timelines using (student_no)
    join attendance_segments
        on attendance_segments.timeline_no = timelines.timeline_no
        and attendance_segments.from_date <= attendance_exceptions.date
        and attendance_segments.until_date > attendance_exceptions.date
    join counted_days
        on counted_days.home_no = attendance_segments.home_no
        and counted_days.school_no = attendance_segments.school_no
        and counted_days.view = attendance_segments.view
        and counted_days.date = attendance_exceptions.date
    where attendance_exceptions.date < timelines.view
      and attendance_exceptions.recorded_at < timelines.view
      and (
          attendance_exceptions.superseded_at is null
          or attendance_exceptions.superseded_at >= timelines.view
      )
),

days as (
    select
        timeline_no,
        week,
        date,
        place,
        periods,
        least(periods, coalesce(sum(periods_covered) filter (status = 'absent'), 0)) as unexcused,
        coalesce(sum(periods_covered) filter (status = 'excused'), 0) as excused,
        count(*) filter (status = 'tardy') as tardies
    from records
    group by timeline_no, week, date, place, periods
)

select
    timeline_no,
    week,
    date,
    place,
    (unexcused * 27720 // periods)::integer as unexcused_parts,
    (least(periods - unexcused, excused) * 27720 // periods)::integer as excused_parts,
    tardies::integer as tardies,
    unexcused + excused >= periods as whole_day
from days
