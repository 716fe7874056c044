"""What each engine's image is made of."""

from pathlib import Path

LOCKS = {"litert": Path("requirements/service.txt"), "tensorflow": Path("requirements/service-tensorflow.txt")}
