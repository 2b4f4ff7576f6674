"""A worker with a profiler. In a separate folder, because next to `bench/profile.py` the standard library would import that."""
