"""The Keras network: how it is built, fitted, and given raw columns to take."""
