"""A table → a registered, packed model."""

import os

# Or pandera sets it as it is imported, for Spark's sake, and PyArrow takes every zoned time for one in UTC.
os.environ["PYARROW_IGNORE_TIMEZONE"] = ""
