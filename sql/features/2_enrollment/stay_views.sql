-- Students and week ends at which less, or something else, was known of the student's stays than is known finally:
-- a stay or an exit entered late, or a stay corrected since. At these the stays must be seen as of that day.
with unsettled as (
    select *
    from year_stays
    where superseded_at is not null
       or recorded_at >= entry_date + 1
       or exit_recorded_at >= exit_date + 1
),

week_ends as (
    select distinct year_stays.student_no, weeks.as_of
    from year_stays
    join weeks using (school_no)
    where year_stays.student_no in (select student_no from unsettled)
)

select distinct week_ends.student_no, week_ends.as_of
from week_ends
join unsettled using (student_no)
where unsettled.entry_date < week_ends.as_of
  and case
          when unsettled.superseded_at is not null
              then unsettled.recorded_at < week_ends.as_of and unsettled.superseded_at >= week_ends.as_of
          else unsettled.recorded_at >= week_ends.as_of
              or (unsettled.exit_date < week_ends.as_of and unsettled.exit_recorded_at >= week_ends.as_of)
      end
