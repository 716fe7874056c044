"""MLServer with the same model: our encoding and LiteRT in a custom runtime.

As its documentation has it: adaptive batching by `max_batch_size` and `max_batch_time` in the
model's settings; and `parallel_workers` 0, for a model so light that passing requests to another
process costs more than the model.
"""
