"""Tests of shared/usage."""
