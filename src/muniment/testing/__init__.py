"""What is shipped for testing: contract suites for whoever writes a part of a kind, real servers, and faults."""
