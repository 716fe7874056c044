"""Explains answers by Shapley values: how much of one each feature brings, averaged over all orders of features.

Take a background row and give it the explained row's values, one feature after another; each step changes the answer,
and the change is put down to the feature. The steps' sum is the explained answer minus the background row's, whatever
the order; the mean over all orders and background rows is the Shapley value. It is estimated from random orders
(Castro, Gómez & Tejada, 2009), each walked forwards and then backwards from the same background row: a feature that
came early comes late, so that much of chance cancels out within such a pair (Mitchell, Cooper, Frank & Holmes, 2022:
antithetic sampling).

Most of the chance that is left lies in which background rows were drawn: from a row at midnight the hour's effect is
another than from one at noon. But the background rows' own attributions are known, and their mean is 0. So each pair
counts as a walk in two parts: from the mean to its background row, by that row's attributions, and from there to the
explained row, by the effects that were seen. That adds 0 on average, takes away what the drawn rows have in common with
each other, and makes each pair's sum the output minus the *mean* answer to all background rows: nothing is repaired
afterwards for the sum to be exact. (It is a control variate: Lavenberg & Welch, 1981. On the flights it makes the
standard error a third, which 9 times as many pairs would have.)

A feature moves as one, with all its columns; a missing value is a value. Values of different rows are combined as if
features were independent: rows may arise that no table holds.
"""
