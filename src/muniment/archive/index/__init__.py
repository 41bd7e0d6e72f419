"""Lists made quick: derived from the files, deleted and rebuilt at will."""
