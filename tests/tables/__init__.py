"""Tables to train on: real ones with other models beside ours, made ones of every shape, and one larger than most."""
