"""Tests of shared/openai_api."""
