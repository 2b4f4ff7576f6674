"""The bench works; how fast anything is, no test says."""
