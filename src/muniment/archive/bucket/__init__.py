"""An archive whose only home is a bucket of an object store, committed by a put that happens at most once."""
