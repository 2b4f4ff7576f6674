"""Tests of what the upstream APIs send."""
