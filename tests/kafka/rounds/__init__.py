"""The rounds, one a file: run(options, report) plays it and raises Failure where a claim is broken."""
