"""params.yaml, read and validated: what each network learns from, and how it is trained."""
