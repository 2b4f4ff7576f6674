"""Tests of shared/upstream."""
