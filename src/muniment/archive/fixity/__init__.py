"""Checking that everything is as it was recorded, and repairing what is not."""
