"""Checks on ingest: viruses, formats, and the policy on formats."""
