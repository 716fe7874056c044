"""What two models answered to the same rows, beside each other: the champion, and its challenger in the shadow."""
