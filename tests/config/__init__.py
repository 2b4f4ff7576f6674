"""Tests of shared/config."""
