"""A worker with a profiler inside. In a folder of its own: beside `bench/profile.py` the standard library would import that."""
