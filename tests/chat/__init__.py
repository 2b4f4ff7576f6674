"""Tests of shared/chat."""
