-- Between two days, on which of a student's dates enough was known to place the student.
select feature_date, feature_vector
from student_features
where student_id = :student_id and feature_date >= :since and feature_date <= :as_of
