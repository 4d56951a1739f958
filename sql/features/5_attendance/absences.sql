-- Days with an absence or a late arrival, on counted days only. Parts of a day are whole numbers of 1/27720, which
-- every number of periods up to 12 divides, so that sums are exact whatever their order.
-- A record without a period stands for the whole day.
with records as (
    select
        timelines.timeline_no,
        greatest(week_of_date.week, timelines.fold_week) as week,
        attendance_exceptions.date,
        school_days.days_before + 1 + attendance_segments.place_offset as place,
        coalesce(schools.periods_per_day, 1) as periods,
        attendance_exceptions.status,
        case
            when attendance_exceptions.period is null then coalesce(schools.periods_per_day, 1)
            else 1
        end as periods_covered
    from attendance_exceptions
    join timelines using (student_no)
    join attendance_segments
        on attendance_segments.timeline_no = timelines.timeline_no
        and attendance_segments.from_date <= attendance_exceptions.date
        and attendance_segments.until_date > attendance_exceptions.date
    join school_days
        on school_days.school_no = attendance_segments.school_no
        and school_days.view = attendance_segments.view
        and school_days.date = attendance_exceptions.date
    join week_of_date
        on week_of_date.school_no = timelines.school_no
        and week_of_date.date = attendance_exceptions.date
    join schools on schools.school_no = attendance_segments.school_no
    where school_days.counts
      and attendance_exceptions.date < timelines.view
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
