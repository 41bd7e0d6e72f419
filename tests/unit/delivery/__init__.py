"""Tests of what is handed out: streamed archives, their ranges, and the names in them."""
