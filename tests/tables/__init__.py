"""Tables of different shapes to train on: from scikit-learn, from our own flights, and made up."""
