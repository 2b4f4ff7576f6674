"""The tests: mirrors of shared/, and the app on the real worker."""
