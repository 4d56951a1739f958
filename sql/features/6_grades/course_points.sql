-- Grade points of each course in each row: from the final timeline, but for the dirty courses of a dirty row. A mean is
-- a quotient of whole numbers under 4096, so a course at exactly 60 is at 60; ten points down are given a billionth of
-- slack. Six small counts travel in one number, seven bits each (a student has fewer than 30 courses), because one sum
-- takes a third of the time of six.
with taken_apart as (
    select
        course_weeks.row_key,
        course_weeks.course_no * 1024 + (weeks.as_of - getvariable('first_date'))::integer as class_key,
        (year_to_date::bigint >> 12) / (year_to_date::bigint & 4095) as mean,
        (eight_ago::bigint >> 12) / (eight_ago::bigint & 4095) as earlier_mean,
        ((year_to_date - four_ago)::bigint >> 12) / nullif((year_to_date - four_ago)::bigint & 4095, 0) as recent_mean
    from course_weeks
    join weeks
        on weeks.school_no = course_weeks.school_no
        and weeks.week = course_weeks.week
    left join dirty_courses
        on dirty_courses.row_key = course_weeks.row_key
        and dirty_courses.course_no = course_weeks.course_no
    where is_row
      and (dirty_courses.row_key is null or not is_final)
)

select
    row_key,
    class_key,
    recent_mean,
    1::double
    + (mean < 6000)::double * 128
    + ((mean >= 6000)::double + (mean >= 7000)::double + (mean >= 8000)::double + (mean >= 9000)::double) * 16384
    + coalesce(
        2097152
        + (earlier_mean - mean >= 1000 - 1e-9)::double * 268435456
        + ((earlier_mean >= 6000)::double + (earlier_mean >= 7000)::double + (earlier_mean >= 8000)::double
            + (earlier_mean >= 9000)::double) * 34359738368,
        0
    ) as counts
from taken_apart
