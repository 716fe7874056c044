"""The steps as a Kubeflow pipeline."""
