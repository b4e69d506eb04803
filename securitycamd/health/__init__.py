"""One rule a file; the API, the command line, the pages and the task show the same findings."""
