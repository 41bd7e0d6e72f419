"""Where access copies are seen: one module for each kind of place."""
