-- Somebody who works here: the name by which the dashboard knows them, and what they may see by it. Whoever leaves is no
-- longer active, and stays on record with what they did. A mail address that is none costs nobody the row: it is left out.
with typed as (
    select
        raw.* exclude (email),
        known_schools.id as known_school,
        roles.value as known_role,
        coalesce(actives.value, case when raw.is_active is null then 'yes' end) as active,
        as_address(raw.email) as email,
        raw.email as email_text
    from raw
    left join known_schools on known_schools.id = raw.school_id
    left join codes as roles on roles.field = 'role' and roles.code = lower(raw.role)
    left join codes as actives on actives.field = 'is_active' and actives.code = lower(raw.is_active)
)

select
    n,
    cast(md5(concat_ws(chr(31), 'edupulse:staff', username)) as uuid) as id,
    username,
    display_name,
    known_role as role,
    school_id,
    active = 'yes' as is_active,
    email,
    hash(display_name, known_role, school_id, active = 'yes', email) as content,
    coalesce(
        missing('username', username),
        too_long('username', username, 100),
        bad_id('username', username),
        too_long('display_name', display_name, 200),
        missing('role', role),
        unread('role', role, known_role, 'unknown_code'),
        unread('school_id', school_id, known_school, 'unknown_school'),
        unread('is_active', is_active, active, 'unknown_code')
    ) as problem,
    case when email is null and email_text is not null then ['email:invalid_address'] end as slips
from typed
