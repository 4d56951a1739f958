-- One stay each; three in a hundred come later, four leave, and of these half are found out late.
with draws as (
    select
        student_no,
        (1 + (student_no - 1) // 1000)::smallint as school_no,
        grade_level,
        hash(student_no, 'entry') % 100 as entry_draw,
        hash(student_no, 'exit') % 100 as exit_draw,
        (hash(student_no, 'day') % 200)::integer as day
    from students
),

stays as (
    select
        *,
        date '2023-08-28' + case when entry_draw < 3 then day // 2 else 0 end as entry_date,
        case when exit_draw < 4 then date '2023-12-01' + day // 2 end as exit_date
    from draws
)

select
    student_no,
    school_no,
    2023 as school_year,
    grade_level,
    entry_date,
    exit_date,
    case when exit_draw < 4 then 'dropout' end as exit_reason,
    entry_date::timestamp as recorded_at,
    exit_date::timestamp + case when exit_draw < 2 then interval 20 day else interval 1 hour end as exit_recorded_at,
    null::timestamp as superseded_at
from stays
