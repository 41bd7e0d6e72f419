"""The archive on a POSIX disk: where each thing lies, durable writes, locks, and what a folder holds."""
