"""Why an answer is what it is: what each feature adds to it, beside what the model answers to ordinary rows."""
