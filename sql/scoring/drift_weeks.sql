-- The weeks of the school year that $as_of lies in, up to it, of at most $people students: those whose hashed ids come
-- first, so that the same students are taken wherever the same ones are there. Who has left meanwhile is among them.
-- Runs in DuckDB over the store's files.
with known as (
    select *
    from read_parquet($files, union_by_name = true)
    where as_of <= $as_of
),
this_year as (
    select *
    from known
    where school_year = (select arg_max(school_year, as_of) from known)
),
chosen as (
    select student_id
    from this_year
    group by student_id
    order by md5(student_id)
    limit $people
)
select this_year.*
from this_year
semi join chosen using (student_id)
order by this_year.student_id, this_year.week
