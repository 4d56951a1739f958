-- What every relation of existing rows has, so that one statement compares them all.
select
    cast(null as uuid) as version,
    cast(null as timestamp) as recorded_at,
    cast(null as ubigint) as base,
    cast(null as boolean) as complete
where false
