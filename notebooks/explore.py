# %% [markdown]
# # New York's flights of 2013: will this flight arrive late?
#
# How the built-in table looks, and why its problem file, `training/flights.toml`, says what it says. The code below
# calls the package that `ekiben train` calls, and what the text claims is asserted: `make notebook` fails if it is not
# so. `ekiben explore TABLE --target COLUMN` makes such a notebook for any table.

# %%
from ekiben.training.exploring.quiet import begin

begin()

import numpy as np
import pandas as pd

from ekiben.training.exploring.showing import mark, mark_all, show
from ekiben.training.problem import BUILT_IN, read_problem
from ekiben.training.tables.read import read_table
from ekiben.training.wording import format_share

ROWS = 40_000  # of the 327,346: as much as the claims need; None takes all

# %% [markdown]
# ## The table
#
# One row is one flight that arrived: what the timetable, the weather station at the origin and the register of aircraft
# know before it departs.

# %%
problem = read_problem(BUILT_IN)
whole = read_table(problem, lambda share: None)
table = whole.thin(ROWS) if ROWS else whole
frame = table.frame
target, late = problem.target.name, frame["late"].astype(bool)

show(
    f"{len(whole.frame):,} flights arrived ({'; '.join(whole.notes)}); what follows is of each {table.step}th, "
    f"{len(frame):,} of them. **{format_share(late.mean())}** were late: {problem.target.description}."
)
assert len(whole.frame) == 327_346
assert 0.2 < late.mean() < 0.3

# %%
from ekiben.training.exploring.columns import describe_columns, plot_missing, share_missing

show(describe_columns(frame))

# %% [markdown]
# ## What is missing

# %%
missing = share_missing(frame)
by_carrier = frame["aircraft_year"].isna().groupby(frame["carrier"], observed=True).mean()
unknown = by_carrier[by_carrier > 0.5].index
show(
    plot_missing(frame),
    f"The register lacks {format_share(missing['aircraft_year'])} of the aircraft, nearly all of them of "
    f"{mark_all(unknown)}, which report fleet numbers in place of tail numbers. So *missing* says something: the "
    f"network gets it as an input of its own, and nothing is filled in.",
)
assert set(unknown) == {"AA", "MQ"}
assert missing.index[0] in ("aircraft_year", "aircraft_seats")
assert not {"carrier", "dest", "distance", "scheduled_departure"} & {*missing.index}

# %% [markdown]
# ## How the values are spread

# %%
from ekiben.training.exploring.distributions import plot_distributions

units = {name: feature.unit for name, feature in problem.features.items()}
clear = (frame["visib"].dropna() == 10).mean()
show(
    plot_distributions(frame, units, target),
    f"In {format_share(clear)} of the hours one sees 10 miles far, and it hardly ever rains: the weather that delays "
    f"flights is in the tails.",
)
assert clear > 0.8
assert (frame["precip"].dropna() == 0).mean() > 0.9

# %% [markdown]
# ## The target over time

# %%
from ekiben.training.dataset.target import encode_labels, learn_target
from ekiben.training.exploring.over_time import mean_by, plot_over_time

learned = learn_target(problem.target, frame[target])
labels = encode_labels(learned, frame[target])
departure = frame["scheduled_departure"]
by_hour = mean_by(departure.dt.hour, labels)
by_month = mean_by(departure.dt.month, labels)
show(
    plot_over_time(departure, labels, learned),
    f"Delays build up through the day, from {format_share(by_hour.min())} at {by_hour.idxmin()} h to "
    f"{format_share(by_hour.max())} at {by_hour.idxmax()} h, and are gone by the morning. By month they go from "
    f"{format_share(by_month.min())} to {format_share(by_month.max())}; with one year of data nobody can tell a season "
    f"from a bad month, so the problem file has the cycles `hour` and `weekday` and no day of the year.",
)
assert by_hour.idxmin() <= 7
assert by_hour.idxmax() >= 18
assert by_hour.max() > 3 * by_hour.min()
assert problem.features["scheduled_departure"].cycles == ("hour", "weekday")

# %% [markdown]
# ## Features that are made, and what they gain
#
# The rows are cut by time, as the model will be used: it learns until September, choices are made on October, and
# November and December are kept for the end. Boosted trees stand in for the network, since they fit in a fraction of
# a second.

# %%
from ekiben.training.exploring.trees import encode_inputs, try_inputs
from ekiben.training.preparation import prepare

prepared = prepare(problem, table, say=lambda line: None)
inputs = encode_inputs(prepared)
moments = [part["scheduled_departure"].astype("int64").to_numpy() / 86_400 for part in (prepared.parts.train, prepared.parts.validation)]
past = [name for name in problem.features if name.endswith("_12h")]
timetable = ["departures_that_day", "departures_before"]
trials = {
    "all features": inputs,
    "the departure as days since 1970, without its cycles": inputs.without("scheduled_departure").plus("days", *moments),
    "without the departure": inputs.without("scheduled_departure"),
    "without the weather's means over 12 hours": inputs.without(*past),
    "without the timetable": inputs.without(*timetable),
}
tried = {name: try_inputs(trial) for name, trial in trials.items()}
gains = pd.DataFrame(
    {"features": tried, "AUC": [s["auc"] for s in tried.values()], "log loss": [s["log_loss"] for s in tried.values()]}
)
show(gains)
