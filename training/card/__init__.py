"""The model card: what a model is, how good it is, and where it comes from, for people (Mitchell et al., 2019)."""
