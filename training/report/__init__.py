"""The report of a training run, `report.html`: how good the model is, how sure that is, and where it errs."""
