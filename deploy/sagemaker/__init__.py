"""The steps as a SageMaker pipeline."""
