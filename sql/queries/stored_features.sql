-- Stored weekly features of the weeks that end on or before a day. Parameters: files, cutoff.
select *
from read_parquet($files, hive_partitioning = false)
where as_of <= $cutoff
order by student_id, school_year, week
