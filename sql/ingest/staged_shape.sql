-- What every staged table has, so that one statement compares them all.
select
    cast(null as timestamp) as recorded_at,
    cast(null as timestamp) as superseded_at,
    cast(null as boolean) as stated,
    cast(null as ubigint) as base,
    cast(null as boolean) as complete,
    cast(null as boolean) as exit_stated,
    cast(null as varchar[]) as slips
where false
