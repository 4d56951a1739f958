-- Nothing told, in the columns of the snapshot's feedback: for records that come without any.
select
    cast(null as integer) as student_no,
    cast(null as date) as as_of,
    cast(null as varchar) as feedback_type,
    cast(null as varchar) as outcome_type,
    cast(null as date) as outcome_date,
    cast(null as timestamp) as told_at
where false
