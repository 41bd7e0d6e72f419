"""The index of resources, derived from the files: deleted and rebuilt at will."""
