"""Tests of shared/hosting."""
