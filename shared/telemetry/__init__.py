"""Traces and metrics of answers, made of receipts in the thread that exports them; imported only where telemetry is on."""
