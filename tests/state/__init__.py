"""Tests of shared/state."""
