"""The OCI image: what serves, and nothing else."""
