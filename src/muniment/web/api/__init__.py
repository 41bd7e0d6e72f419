"""The interfaces for programs."""
