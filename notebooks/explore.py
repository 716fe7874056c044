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

ROWS = 30_000  # of the 327,346: as much as the claims need; None takes all

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
theirs = frame.loc[frame["aircraft_year"].isna(), "carrier"].isin(unknown).mean()
show(
    plot_missing(frame),
    f"The register lacks {format_share(missing['aircraft_year'])} of the aircraft, {format_share(theirs)} of them of "
    f"{mark_all(unknown)}, which report fleet numbers in place of tail numbers. So *missing* says something: the "
    f"network gets it as an input of its own, and nothing is filled in.",
)
assert set(unknown) == {"AA", "MQ"}
assert theirs > 0.8
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
    f"At {format_share(clear)} of the departures one sees 10 miles far, and it hardly ever rains: the weather that "
    f"delays flights is in the tails.",
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
parts = (prepared.parts.train, prepared.parts.validation)
moments = [part["scheduled_departure"].astype("int64").to_numpy() / 86_400 for part in parts]
past = [name for name in problem.features if name.endswith("_12h")]
timetable = ["departures_that_day", "departures_before"]
trials = {
    "all features": inputs,
    "the departure as days since 1970, without its cycles": inputs.without("scheduled_departure").plus(
        "days", *moments
    ),
    "without the departure": inputs.without("scheduled_departure"),
    "without the weather's means over 12 hours": inputs.without(*past),
    "without the timetable": inputs.without(*timetable),
}
tried = {name: try_inputs(trial) for name, trial in trials.items()}
auc = {name: scores["auc"] for name, scores in tried.items()}
everything, as_days = auc["all features"], auc["the departure as days since 1970, without its cycles"]
no_means = auc["without the weather's means over 12 hours"]
losses = [scores["log_loss"] for scores in tried.values()]
show(
    pd.DataFrame({"features": list(tried), "AUC": list(auc.values()), "log loss": losses}),
    f"**A moment becomes a place on the clock.** As a count of days each later flight lies beyond all that the model "
    f"saw, worse than no departure at all: AUC {as_days:.3f} instead of {everything:.3f}. Its hour and weekday come "
    f"again. Each is a point on a circle, a sine and a cosine, since 23:59 and 0:00 are a minute apart, and not a day.",
    f"**The weather of the last 12 hours is a feature of its own.** A queue that a storm left is there when the sky is "
    f"clear again: without the means the AUC is {no_means:.3f}.",
)
assert as_days < auc["without the departure"] < everything
assert everything > no_means + 0.005

# %%
from ekiben.contract.timestamps import encode_cycles

late_evening, midnight, noon = encode_cycles(np.array([86_340, 86_400, 129_600]), ("hour",))
near, far = np.linalg.norm(late_evening - midnight), np.linalg.norm(noon - midnight)
show(f"On the circle 23:59 is {near:.4f} from midnight, and noon {far:.0f}.")
assert near < 0.01 < far

# %% [markdown]
# ## Which features carry the answer

# %%
from ekiben.training.exploring.selection import measure_features, plot_features

features = measure_features(inputs)
best, useless = features["feature"].tolist()[:3], features[features["dropped"] < 0.0005]["feature"].tolist()
show(
    plot_features(features, inputs),
    f"Shuffled, {mark_all(best)} cost most. Of the first {features['dropped'].count()}, left out one by one, "
    f"{mark_all(useless)} cost nothing: others say the same, or October had no use for them. One month is no reason to "
    f"drop a column that is free; one that costs something to *get* would have to earn it here.",
)
assert "departures_before" in best
assert len(useless) >= 1

# %% [markdown]
# ## Leaks: what nobody knows before departure
#
# The airline's table has more columns. They predict very well, and are not there when the question is asked: a model
# that was trained with them looks brilliant until it is used.

# %%
from ekiben.training.exploring.leaks import plot_columns, score_columns
from ekiben.training.sources.flights import add_timetable, data_file

LATER = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]
flown = add_timetable(pd.read_csv(data_file("flights.csv.zip"))).dropna(subset=["arr_delay"])
flown = flown.sort_values("scheduled_departure", kind="stable", ignore_index=True).iloc[:: table.step]
assert (flown["carrier"].to_numpy() == frame["carrier"].to_numpy()).all()  # row for row the same flights

leaking = frame.assign(**{name: flown[name].to_numpy(np.float32) for name in LATER})
alone = score_columns(leaking, labels, learned)
delays = [leaking.loc[part.index, "dep_delay"].to_numpy() for part in parts]
brilliant = try_inputs(inputs.plus("dep_delay", *delays))["auc"]
honest = alone.drop(LATER).max()
show(
    plot_columns(alone, learned),
    f"No column that is known beforehand says much by itself ({honest:.2f}; a coin says 0.50). {mark('arr_delay')} "
    f"*is* the target, {mark('dep_delay')} nearly so: with it the trees' AUC is {brilliant:.3f} instead of "
    f"{everything:.3f}. A score that is too good is a leak until you know better.",
)
assert alone["arr_delay"] > 0.995
assert honest < 0.65 < alone["dep_delay"]
assert brilliant > everything + 0.1

# %% [markdown]
# ## What goes into problem.toml
#
# `ekiben init` proposes a file for a table that it is given; here the flights with two of the late columns.

# %%
import tempfile
from pathlib import Path

from ekiben.training.exploring.looking import look_at, show_problem

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "flights.parquet"
    leaking.drop(columns=["dep_time", "arr_time", "air_time"]).to_parquet(file, index=False)
    proposal = look_at({"path": str(file)}, target).proposal
assert proposal is not None
print(show_problem(proposal))

# %%
proposed = {name: feature.facts["kind"] for name, feature in proposal.features.items()}
declared = {name: feature.kind for name, feature in problem.features.items()}
undue = sorted(proposed.keys() - declared.keys())
show(
    f"It found the target's task, the time to split by, each feature's kind, and that {mark('arr_delay')} gives the "
    f"target away. What it can't know is in `training/flights.toml` by hand: {mark_all(undue)} "
    f"left out, since nobody knows it beforehand; units and descriptions; the limits of a temperature (`low`, `high`); "
    f"the days of the split (`validate_from`, `test_from`); and by what to look at errors (`slices`)."
)
assert undue == ["dep_delay"]
assert declared.items() <= proposed.items()
assert proposal.split.time == problem.split.time
assert "gives the target away" in proposal.ignored["arr_delay"]

# %% [markdown]
# ## Are November and December like the months before?

# %%
from ekiben.training.exploring.first_model import compare_parts

report = compare_parts(prepared)
print(report.format())
assert "temp" in report.drifted_columns
assert not report.skews

# %% [markdown]
# ## A first model, and where it errs
#
# A network as `ekiben train` fits it, for two epochs of this sample, on flights it never saw. It is kept nowhere.

# %%
from ekiben.training.evaluate import format_scores
from ekiben.training.exploring.first_model import fit_first, plot_answers, plot_errors, score_errors

model = fit_first(problem, prepared, epochs=2)
print(f"{len(model.answers):,} flights of November and December:\n{format_scores(model.scores)}")
show(plot_answers(prepared, model))
assert 0.66 < model.scores["auc"] < 0.75

# %%
months = score_errors(prepared, model, "scheduled_departure").set_index("value")
carriers = score_errors(prepared, model, "carrier").dropna()
december = months.loc["2013-12"]
worst = carriers.loc[carriers["auc"].idxmin()]
show(
    plot_errors(prepared, model, "carrier"),
    f"In December {format_share(december['base_rate'])} of the flights were late, and the model expected "
    f"{format_share(december['mean_probability'])}: it never saw a December. It ranks worst for "
    f"{mark(worst['value'])}, AUC {worst['auc']:.3f} of {worst['rows']:,} flights. Both are reasons to watch live "
    f"scores by slice (`ekiben score-live`), and to train again when a year has gone round.",
)
assert december["base_rate"] > december["mean_probability"]
