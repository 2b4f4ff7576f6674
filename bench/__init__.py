"""Measures what a streamed answer costs here, beside what a user would pick instead; never deployed."""
