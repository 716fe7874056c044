"""A model in the store → answers over the network; never imports training."""
