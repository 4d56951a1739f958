-- The weeks of the feature store from which a score of $as_of is computed: those of the current school year of each
-- student whose last week ended after $since. Runs in DuckDB over the store's files.
with known as (
    select *
    from read_parquet($files, union_by_name = true)
    where as_of <= $as_of and as_of > $earliest
),
newest as (
    select student_id, max(as_of) as as_of, arg_max(school_year, as_of) as school_year
    from known
    group by student_id
)
select known.*
from known
semi join newest
    on newest.student_id = known.student_id
    and newest.school_year = known.school_year
    and newest.as_of > $since
order by known.student_id, known.week
