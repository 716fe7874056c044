"""One module per dialect: decode → dataplane → encode."""
