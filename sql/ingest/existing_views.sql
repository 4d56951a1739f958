-- What the store has: current rows by `id`, versions that were closed by `version`.
create or replace temp view existing as select id, content, recorded_at, base, complete from existing_rows where id is not null;

create or replace temp view existing_past as select version from existing_rows where version is not null;

set variable has_past = (select exists (from existing_rows where version is not null));
