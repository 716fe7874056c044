"""The one setting of alarms."""

FALSE_ALARMS = 1.0  # a month, that are put up with
