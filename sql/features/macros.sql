-- What the relations say often. The first group reads rows in passing: the rows of timelines, one after another and week
-- by week, `place` being how many of the same timeline came before; 0 stands for weeks before the timeline began, by
-- multiplication, which is faster than a choice.
create or replace macro back(value, weeks) as lag(value, weeks, 0) over () * (place >= weeks)::double;

-- Over spans of weeks that double: what the span that ends with this week and the one before it come to. Two weeks make
-- four, and four make eight, in three steps instead of seven. moments: Σ weeks back × value; inertias: Σ weeks back² ×
-- value.
create or replace macro sums(value, weeks) as value + back(value, weeks);

create or replace macro moments(moment, value, weeks) as sums(moment, weeks) + weeks * back(value, weeks);

create or replace macro inertias(inertia, moment, value, weeks) as
    sums(inertia, weeks) + 2 * weeks * back(moment, weeks) + weeks * weeks * back(value, weeks);

create or replace macro lesser(value, weeks) as least(value, if(place >= weeks, lag(value, weeks) over (), null));

-- The sum over all rows so far, of this timeline and those before it; and what of it is this timeline's.
create or replace macro so_far(value) as sum(value::double) over (rows unbounded preceding);

create or replace macro since_start(starts, sum_so_far, value) as
    sum_so_far - max(if(starts, sum_so_far - value, 0)) over (rows unbounded preceding);

-- The greatest so far in this timeline, of whole numbers from 0 to 2³²: timelines come in the order of their numbers.
create or replace macro greatest_so_far(timeline, value) as
    max(timeline::bigint * 4294967296 + value) over (rows unbounded preceding) & 4294967295;

-- A timeline, a course and a week in one number, and taken out of it.
create or replace macro line_week(timeline, course, week) as timeline::bigint * 4294967296 + course * 64 + week;

create or replace macro timeline_of(line_week) as line_week >> 32;

create or replace macro course_of(line_week) as (line_week >> 6) & 67108863;

create or replace macro week_of(line_week) as line_week & 63;

-- A class and a mean mark, of 0 to 10,000, in one number that goes by both; and the class taken out of it. Means of up to
-- 900 marks differ by more than 1/858,993, so that none are taken for equal.
create or replace macro class_mean(class_no, mean) as class_no::bigint * 8589934592 + floor(mean * 858993)::bigint;

create or replace macro class_of(class_mean) as class_mean >> 33;

-- The student at a school whose timeline it is; see timelines.
create or replace macro base_of(timeline) as (timeline & 1073741823) >> 6;

-- Whether a timeline, and whether a student, belongs to the slice of students in hand; see timelines and slices.
create or replace macro in_slice(timeline) as
    timeline & 1073741823 between getvariable('first_row') and getvariable('last_row');

create or replace macro student_in_slice(student) as
    student between getvariable('first_student') and getvariable('last_student');

-- Whether a record that was entered late, or corrected since, was known otherwise at a week's end than it is finally.
create or replace macro known_otherwise(week_end, first_week_end, recorded_at, superseded_at) as
    week_end >= first_week_end
    and week_end <= coalesce(superseded_at, recorded_at)
    and (superseded_at is null or recorded_at < week_end);

-- Where a value stands among those of its school on the same day: the share of the others who are below, ties counting
-- half.
create or replace macro among_classmates(value) as if(
    value is not null,
    (
        rank() over (partition by school_no, as_of order by value nulls last)
        + count(value) over (partition by school_no, as_of order by value nulls last range unbounded preceding) - 2
    ) / nullif(2 * (count(value) over (partition by school_no, as_of) - 1), 0),
    null
)::float;
