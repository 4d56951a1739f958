-- What each good row means for the store. `existing` holds what the store has: current rows by `id`, versions that
-- were closed by `version`.
with kept as (
    select staged.* exclude (problem, slips) replace (
        case when repeats.n is null then staged.superseded_at else repeats.superseded_at end as superseded_at
    )
    from staged
    left join repeats using (n)
    where staged.problem is null and (repeats.n is null or repeats.verdict = 'kept')
),

met as (
    select
        kept.*,
        present.id is not null as is_present,
        present.recorded_at as present_since,
        present.content = kept.content as same,
        present.base = kept.base and kept.complete and not present.complete as completes,
        past.version is not null as is_past
    from kept
    left join existing as present on present.id = kept.id
    left join existing_past as past
        on past.version = case when getvariable('has_past') then version_of(kept.id, kept.recorded_at) end
),

decided as (
    select
        *,
        case
            when superseded_at is not null and is_past then 'unchanged'
            when superseded_at is not null and is_present and present_since = recorded_at then 'close'
            when superseded_at is not null then 'add'
            when is_present and same then 'unchanged'
            when is_present and is_past and stated then 'unchanged'
            when is_present and completes then 'complete'
            when is_present then 'correct'
            when is_past then 'restore'
            else 'add'
        end as action
    from met
)

select
    * exclude (is_present, same, completes, is_past) replace (
        case
            when action = 'complete' then present_since
            when action = 'restore' then getvariable('imported_at')
            when action = 'correct' and not (stated and recorded_at > present_since) then getvariable('imported_at')
            else recorded_at
        end as recorded_at
    )
from decided
