-- What else was dated by the end of a day: the registration, and whether it was taken back.
select
    school_id,
    person,
    case when registered_on <= starts + $day then starts - registered_on end as registered_ahead,
    coalesce(left_on <= starts + $day, false) as has_left,
    case when left_on <= starts + $day then starts + $day - left_on end as days_since_leaving,
    previous_attempts,
    studied_credits
from registered
