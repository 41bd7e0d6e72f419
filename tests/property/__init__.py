"""Properties that hold for any tree, any names and any history."""
