"Counts of a few students, wherever they hide in a file of figures."

import re

COUNTS = re.compile(r"students.*|left|leavers.*|by_both|by_none|only_one|only_other|behind")


def handfuls(told, name=""):
    "Every count of students in a file, by its name, that is of one to nine."
    if isinstance(told, dict):
        return [found for key, each in told.items() for found in handfuls(each, f"{name}.{key}")]
    if isinstance(told, list):
        return [found for each in told for found in handfuls(each, name)]
    counted = (
        COUNTS.fullmatch(name.rpartition(".")[2]) and isinstance(told, int | float) and told in range(1, 10)
    )
    return [name] if counted else []
