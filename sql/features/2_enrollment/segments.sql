-- Where each student was on the roll, day by day and without overlap: the stay that began last owns a day.
-- view: the day as of which the stays are seen; 9999-12-31 is the final view, which serves every week end that
-- stay_views does not name. An exit that is not known yet leaves the student on the roll.
with views as (
    select distinct student_no, date '9999-12-31' as view from year_stays
    union all
    select student_no, as_of as view from stay_views
),

visible as (
    select
        views.student_no,
        views.view,
        year_stays.school_no,
        year_stays.grade_level,
        year_stays.entry_date,
        case
            when year_stays.exit_date < views.view and year_stays.exit_recorded_at < views.view
                then year_stays.exit_date
            else date '9999-12-31'
        end as until_date
    from views
    join year_stays using (student_no)
    where year_stays.entry_date < views.view
      and year_stays.recorded_at < views.view
      and (year_stays.superseded_at is null or year_stays.superseded_at >= views.view)
),

turns as (
    select student_no, view, entry_date as from_date from visible
    union
    select student_no, view, until_date as from_date from visible
),

spans as (
    select
        student_no,
        view,
        from_date,
        lead(from_date) over (partition by student_no, view order by from_date) as until_date
    from turns
),

owned as (
    select
        spans.student_no,
        spans.view,
        spans.from_date,
        spans.until_date,
        max(struct_pack(
            entry_date := visible.entry_date, school_no := visible.school_no, grade_level := visible.grade_level
        )) as stay
    from spans
    join visible
        on visible.student_no = spans.student_no
        and visible.view = spans.view
        and visible.entry_date <= spans.from_date
        and visible.until_date > spans.from_date
    where spans.until_date is not null
    group by all
)

select
    student_no,
    view,
    from_date,
    until_date,
    stay.school_no as school_no,
    stay.grade_level as grade_level
from owned
