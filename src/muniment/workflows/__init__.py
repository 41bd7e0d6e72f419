"""What Muniment does from end to end: each workflow is one job, made of the parts below."""
