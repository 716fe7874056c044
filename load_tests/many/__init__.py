"""Many models in one service: what they take, and whether one of them is as quick as alone."""
