"""Tests of the app on the real worker library, behind the development host."""
