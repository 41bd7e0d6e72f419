"""What every HTTP interface shares: authorization, problems, ranges, streaming, middleware."""
