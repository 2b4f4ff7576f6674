"""Traces and metrics, made of receipts."""
