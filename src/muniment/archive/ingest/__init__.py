"""Everything that changes what an archive holds: transactions, commit, recovery, import, purge."""
