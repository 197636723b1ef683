"""Few-step samplers from many-step teachers: the schedule that teacher, student and trainers share."""
